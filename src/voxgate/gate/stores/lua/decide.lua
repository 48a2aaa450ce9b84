-- Decides one request, or looks at limits.
--
-- Guarantees: one atomic call. Credential, account, scopes and tier are proven, and then every limit of the tier is
-- spent, or none of them; a refusal spends nothing. What is not known is said to be unknown and never taken as valid.
-- All that decides is read before anything is written. A session whose refresh token was followed by another and is
-- used again ends; an allowed token of a session notes which of them has reached the client.
--
-- KEYS[1]  string  the session or key, as credential.lua reads it (with a credential)
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
-- ARGV[10] text    generation of a session's token, as check_session reads it; '' for the first and for a key
-- ARGV[11] text    limits that the charges take into account: the account's, a line end, the key's; '' for none
-- ARGV[12] text    bits of the client's address; '' when it is not told
-- ARGV[..] text    from 13, for each tier: its name and a line end, and for each of its limits a line end and five: its
--                  place among the counters, from 1; its kind w window, d day, m month, o at once; quota in units;
--                  window in ms; cost in units. The tier '' is every other one.
--
-- Returns {'UNKNOWN', 'session' | 'key' | 'account'}
--      or {code of the refusal, 'session' | 'key' | 'account'}
--      or {'CHANGED', limits of the account, limits of the key, '1' when the address must be told, else '0'}
--      or {'' | 'RATE_LIMITED', tier, scopes of the credential, now in ms, and for each limit three:
--          units used, ms until something is free, ms until this request fits; of a lease that was held already,
--          minus the ms that were left of it}
local given_time, only_looks, lease_id, kind = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]
local digest, is_of_another, granted, needed_scopes = ARGV[5], ARGV[6] == '1', ARGV[7], ARGV[8]
local needed_tier, token, believed, address, first_tier = ARGV[9], ARGV[10], ARGV[11], ARGV[12], 13
local record_key, account_key, pointer_key = KEYS[1], KEYS[2], KEYS[3]
local before_counters = kind == '' and 0 or 3
local now, spare = read_clock(given_time)
local MINUS, NEWLINE = 45, 10

-- Returns why the credential or account may not do this, as the whole answer, or nil and what is known of them.
local function identify(record, account, pointer)
  if (record and string.byte(record) == MINUS) or (pointer and string.byte(pointer) == MINUS) then
    return { kind == 'key' and 'API_KEY_INVALID' or 'TOKEN_REVOKED', kind }
  end
  -- Without its pointer a record could not be ended by its id alone: what is half lost is lost.
  if not record or not pointer then return { 'UNKNOWN', kind } end
  local refusal, renewed, tier, limits
  local scopes, networks, key_limits = granted, '', ''
  if kind == 'key' then
    refusal, scopes, networks, key_limits = check_key(record, digest, now)
  else
    refusal, renewed = check_session(record, token, is_of_another, now)
  end
  if refusal == 'TOKEN_REUSED' then
    -- Whoever uses a token that was followed by another may have stolen it, or the other.
    call('SET', record_key, '-' .. string.sub(record, 2), 'KEEPTTL')
    if pointer_key ~= record_key then call('SET', pointer_key, '-' .. string.sub(pointer, 2), 'KEEPTTL') end
  end
  if refusal then return { refusal, kind } end
  refusal, tier, limits = check_account(account, scopes, needed_scopes, needed_tier)
  if refusal then return { refusal, 'account' } end
  if networks ~= '' and address ~= '' and not is_within(networks, address) then
    return { 'API_KEY_NETWORK', kind }
  end
  local terms = (limits ~= '' or key_limits ~= '') and limits .. '\n' .. key_limits or ''
  if terms ~= believed or (networks ~= '' and address == '') then
    return { 'CHANGED', limits, key_limits, networks == '' and '0' or '1' }
  end
  return nil, tier, scopes, renewed ~= record and renewed
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

local tier, scopes, renewed = '', '', false
if kind ~= '' then
  local known = call('MGET', record_key, account_key, pointer_key)
  local answer
  answer, tier, scopes, renewed = identify(known[1], known[2], known[3])
  if answer then return answer end
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
if renewed and answer[1] == '' then call('SET', record_key, renewed, 'KEEPTTL') end
return answer
