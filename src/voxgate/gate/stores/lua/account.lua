-- Records an account.
--
-- Guarantees: an older state never replaces a newer one.
--
-- KEYS[1]  string  the account: 'version:active:tier', active is 1 or 0; with limits of its own a line end and those
-- ARGV[1]  number  version, a decimal number of any length
-- ARGV[2]  flag    '1' when the account is active, '0' when it is disabled
-- ARGV[3]  text    tier
-- ARGV[4]  text    limits of its own, or ''
--
-- Returns 1 when it was recorded, 0 when a newer state is known
local account_key, version, is_active, tier, limits = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if is_newer(string.match(call('GET', account_key) or '', '^%d+'), version) then
  return 0
end
local own = limits ~= '' and '\n' .. limits or ''
call('SET', account_key, version .. ':' .. is_active .. ':' .. tier .. own, 'PX', UNBOUND_MS)
return 1
