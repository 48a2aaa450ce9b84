-- Records a session or key under its account.
--
-- Guarantees: an ended one is never revived, and stays as it is but for its end.
--
-- KEYS[1]  string  the record: '+' or, once ended, '-'; its end in ms since the epoch, nothing when it has none; of a
--                  key also ':', the SHA-256 of its secret in hex, ':' and its scopes
-- ARGV[1]  ms      given time; '' for the server's
-- ARGV[2]  flag    '1' ends it
-- ARGV[3]  ms      end of the session or key since the epoch; '' when it has none
-- ARGV[4]  text    what of a key follows its end; '' for a session
-- ARGV[5]  flag    '1' when all else is told; otherwise only that it ends is, and what is known stays
--
-- Returns 1
local record_key, given_time, is_end, ends_at = KEYS[1], ARGV[1], ARGV[2] == '1', ARGV[3]
local rest, is_whole = ARGV[4], ARGV[5] == '1'
local known = call('GET', record_key)
local life = life_of(record_key, ends_at, given_time)
local text = ends_at .. rest
if known and not is_whole then
  text = string.sub(known, 2)
end
local is_ended = is_end or string.sub(known or '', 1, 1) == '-'
call('SET', record_key, (is_ended and '-' or '+') .. text, 'PX', life)
return 1
