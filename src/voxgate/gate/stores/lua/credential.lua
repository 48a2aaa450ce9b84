-- Credentials and accounts as they are recorded; it comes before decide.lua and does nothing alone.
--
-- Guarantees: these functions only read what they are given; each returns nil first when nothing is to be refused.
--
-- A record is '+' or, once ended, '-', and its end in ms since the epoch, or nothing when it has none. Then
--   of a session  ':', its generation, ':' and its idle end in ms, or nothing;
--   of a key      ':', the SHA-256 of its secret in hex, ':', its scopes, and a line each of its version, the bits that
--                 addresses in its networks begin with, as words, and its limits.
-- An account is as account.lua writes it.

-- Returns why the token of a session is not good, or nil and its record as it is to be once the token is allowed.
-- `token` is the token's generation; of a refresh token also ':', or '!' when it works once only, and how many ms the
-- session lasts after it, 0 when that is not told.
local function check_session(record, token, is_of_another, now)
  local ends_at, known, idle_ends_at = string.match(record, '^%+(%d+):?(%d*):?(%d*)$')
  if not ends_at then return 'UNKNOWN' end
  if tonumber(ends_at) <= now then return 'TOKEN_EXPIRED' end
  if is_of_another then return 'INVALID_TOKEN' end
  if token == '' then return nil, record end
  local generation, mode, idle = string.match(token, '^(%d+)([:!]?)(%d*)$')
  generation, known = tonumber(generation), tonumber(known) or 0
  if mode ~= '' then
    if generation < known then return 'TOKEN_REUSED' end
    if idle_ends_at ~= '' and tonumber(idle_ends_at) <= now then return 'TOKEN_EXPIRED' end
    if mode == '!' then generation = generation + 1 end
    if idle ~= '0' then idle_ends_at = math.min(tonumber(ends_at), now + idle) end
  end
  if mode == '' and generation <= known then return nil, record end
  return nil, '+' .. ends_at .. ':' .. math.max(generation, known) .. ':' .. idle_ends_at
end

-- Returns why a key is not good, or nil, its scopes, networks and limits.
local function check_key(record, digest, now)
  local ends_at, known_digest, scopes, rest = string.match(record, '^%+(%d*):(%x*):([^\n]*)\n%d+\n(.*)$')
  if not ends_at then return 'UNKNOWN' end
  -- Lua keeps one copy of equal texts and compares addresses, so time tells nothing of a digest.
  if known_digest ~= digest then return 'API_KEY_INVALID' end
  if ends_at ~= '' and tonumber(ends_at) <= now then return 'API_KEY_EXPIRED' end
  return nil, scopes, string.match(rest, '^([^\n]*)\n(.*)$')
end

-- Returns why the account may not do this, or nil, its tier and its limits.
local function check_account(account, scopes, needed_scopes, needed_tier)
  if not account then return 'UNKNOWN' end
  local is_active, tier, limits = string.match(account, '^%d+:([01]):([^\n]*)\n?(.*)$')
  if is_active == '0' then return 'ACCOUNT_DISABLED' end
  if needed_scopes ~= '' and scopes ~= '' then
    for word in string.gmatch(needed_scopes, '%S+') do
      if not string.find(' ' .. scopes .. ' ', ' ' .. word .. ' ', 1, true) then
        return 'INSUFFICIENT_SCOPE'
      end
    end
  end
  if needed_tier ~= '' and tier ~= needed_tier then return 'PREMIUM_REQUIRED' end
  return nil, tier, limits
end

-- Returns whether the bits of an address begin with those of one of the networks.
local function is_within(networks, address)
  for bits in string.gmatch(networks, '%S+') do
    if string.sub(address, 1, #bits) == bits then return true end
  end
  return false
end
