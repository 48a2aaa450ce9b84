-- Decides one request, or looks at limits.
--
-- Guarantees: one atomic call. Credential, account, scopes and tier are proven, and then every limit of the tier is
-- spent, or none of them; a refusal spends nothing. What is not known is said to be unknown and never taken as valid.
-- All that decides is read before anything is written.
--
-- KEYS[1]  string  the session or key, as record.lua writes it (with a credential)
-- KEYS[2]  string  the account, as account.lua writes it (with a credential)
-- KEYS[3]  string  the pointer of the credential, as pointer.lua writes it; KEYS[1] once more in a cluster, where it is
--                  on another node (with a credential)
-- KEYS[..] list, string or sorted set  the counters, each as window.lua, calendar.lua or lease.lua says
-- ARGV[1]  ms      given time; '' for the server's
-- ARGV[2]  flag    '1' only looks
-- ARGV[3]  text    id under which limits `at once` hold
-- ARGV[4]  text    'session', 'key', or '' without a credential
-- ARGV[5]  hex     SHA-256 of the secret of a key
-- ARGV[6]  flag    '1' when the token names another account than the session's
-- ARGV[7]  words   scopes of a token
-- ARGV[8]  words   scopes that are needed
-- ARGV[9]  text    tier that is needed, or ''
-- ARGV[..] text    from 10, for each tier: its name and a line end, and for each of its limits a line end and five: its
--                  place among the counters, from 1; its kind w window, d day, m month, o at once; quota in units;
--                  window in ms; cost in units. The tier '' is every other one.
--
-- Returns {'UNKNOWN', 'session' | 'key' | 'account'}
--      or {code of the refusal} of a credential or an account
--      or {'' | 'RATE_LIMITED', tier, scopes of the credential, now in ms, and for each limit three:
--          units used, ms until something is free, ms until this request fits; of a lease that was held already,
--          minus the ms that were left of it}
local given_time, only_looks, lease_id, kind = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]
local digest, is_of_another, granted, needed_scopes = ARGV[5], ARGV[6] == '1', ARGV[7], ARGV[8]
local needed_tier, first_tier = ARGV[9], 10
local record_key, account_key, pointer_key = KEYS[1], KEYS[2], KEYS[3]
local before_counters = kind == '' and 0 or 3
local now, spare = read_clock(given_time)
local MINUS, NEWLINE = 45, 10

-- Returns why the credential is not good, or nil and its scopes.
local function check_credential(record, pointer)
  if (record and string.byte(record) == MINUS) or (pointer and string.byte(pointer) == MINUS) then
    return kind == 'key' and 'API_KEY_INVALID' or 'TOKEN_REVOKED'
  end
  -- Without its pointer a record could not be ended by its id alone: what is half lost is lost.
  if not record or not pointer then
    return 'UNKNOWN'
  end
  if kind == 'session' then
    local is_over = tonumber(record) <= now
    return is_over and 'TOKEN_EXPIRED' or is_of_another and 'INVALID_TOKEN' or nil, granted
  end
  local expires_at, known_digest, own_scopes = string.match(record, '^%+(%d*):(%x*):(.*)$')
  -- Lua keeps one copy of equal texts and compares addresses, so time tells nothing of a digest.
  if known_digest ~= digest then
    return 'API_KEY_INVALID'
  end
  local is_over = expires_at ~= '' and tonumber(expires_at) <= now
  return is_over and 'API_KEY_EXPIRED' or nil, own_scopes
end

-- Returns why the account may not do this, or nil and its tier.
local function check_account(account, scopes)
  if not account then
    return 'UNKNOWN'
  end
  local is_active, tier = string.match(account, '^%d+:([01]):(.*)$')
  if is_active == '0' then
    return 'ACCOUNT_DISABLED'
  end
  if needed_scopes ~= '' and scopes ~= '' then
    for word in string.gmatch(needed_scopes, '%S+') do
      if not string.find(' ' .. scopes .. ' ', ' ' .. word .. ' ', 1, true) then
        return 'INSUFFICIENT_SCOPE'
      end
    end
  end
  if needed_tier ~= '' and tier ~= needed_tier then
    return 'PREMIUM_REQUIRED'
  end
  return nil, tier
end

-- Returns the counters of a tier's limits, each open.
local function open_counters(tier)
  local lines, name = '', tier .. '\n'
  for number = first_tier, #ARGV do
    local text = ARGV[number]
    if string.find(text, name, 1, true) == 1 then
      lines = text
      break
    elseif string.byte(text) == NEWLINE then
      lines = text
    end
  end
  local counters = {}
  for place, sort, quota, span, cost in string.gmatch(lines, '\n(%d+) (%a) (%d+) (%d+) (%d+)') do
    local c = { key = KEYS[before_counters + place], quota = tonumber(quota), span = tonumber(span) }
    c.cost, c.spare, c.lease_id, c.is_month = tonumber(cost), spare, lease_id, sort == 'm'
    c.of = sort == 'w' and window or sort == 'o' and lease_counter() or calendar_counter()
    c.of.open(c, now)
    c.wait_ms = c.of.wait(c, now)
    counters[#counters + 1] = c
  end
  return counters
end

local tier, scopes, refusal = '', '', nil
if kind ~= '' then
  local known = call('MGET', record_key, account_key, pointer_key)
  refusal, scopes = check_credential(known[1], known[3])
  if refusal then
    return { refusal, kind }
  end
  refusal, tier = check_account(known[2], scopes)
  if refusal then
    return { refusal, 'account' }
  end
end

local counters = open_counters(tier)
local answer = { '', tier, scopes, now }
for _, c in ipairs(counters) do
  if c.wait_ms > 0 then answer[1] = 'RATE_LIMITED' end
end
for _, c in ipairs(counters) do
  if c.is_ahead and not only_looks then c.of.mend(c, now) end
  if answer[1] == '' and not only_looks then c.of.admit(c, now) end
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = c.used, c.next_free, c.wait_ms
end
return answer
