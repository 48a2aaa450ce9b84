-- Records an account.
--
-- Guarantees: an older state never replaces a newer one.
--
-- KEYS[1]  string  the account: 'version:active:tier', active is 1 or 0
-- ARGV[1]  number  version, a decimal number of any length
-- ARGV[2]  flag    '1' when the account is active, '0' when it is disabled
-- ARGV[3]  text    tier
--
-- Returns 1 when it was recorded, 0 when a newer state is known
local account_key, version, is_active, tier = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local known = string.match(call('GET', account_key) or '', '^%d+')
-- Compared as texts, because a number of Lua is exact to 53 bits only.
if known and (#known > #version or (#known == #version and known > version)) then
  return 0
end
call('SET', account_key, version .. ':' .. is_active .. ':' .. tier, 'PX', UNBOUND_MS)
return 1
