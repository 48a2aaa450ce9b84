-- Records to which account a session or key belongs, or that it has ended, known or not.
--
-- Guarantees: an ended one is never revived. It is written before the record, so that whoever comes second, the one
-- that records or the one that ends, sees the other: both at once leave it ended.
--
-- KEYS[1]  string  the pointer: '+subject', or '-subject' once ended, with no subject when none was known
-- ARGV[1]  ms      given time; '' for the server's
-- ARGV[2]  text    subject, or '' when the caller does not know it
-- ARGV[3]  ms      end of the session or key since the epoch; '' when it has none
-- ARGV[4]  flag    '1' ends it
--
-- Returns the pointer as it is now
local pointer_key, given_time, subject, ends_at, is_end = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local known = call('GET', pointer_key) or '+'
local is_ended = is_end or string.sub(known, 1, 1) == '-'
local life = life_of(pointer_key, ends_at, given_time)
if subject == '' then
  subject = string.sub(known, 2)
end
local pointer = (is_ended and '-' or '+') .. subject
call('SET', pointer_key, pointer, 'PX', life)
return pointer
