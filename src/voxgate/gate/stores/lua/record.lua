-- Records a session or key under its account.
--
-- Guarantees: an ended one is never revived, and stays as it is but for its end; an older state of a key never replaces
-- a newer one; the generation of a session never goes down, nor its idle end back.
--
-- KEYS[1]  string  the record, as credential.lua reads it
-- ARGV[1]  ms      given time; '' for the server's
-- ARGV[2]  flag    '1' ends it
-- ARGV[3]  ms      end of the session or key since the epoch; '' when it has none
-- ARGV[4]  text    what follows its end; '' when that is all that is told, and what is known stays
-- ARGV[5]  text    'session' or 'key'
--
-- Returns 1
local record_key, given_time, is_end, ends_at = KEYS[1], ARGV[1], ARGV[2] == '1', ARGV[3]
local rest, kind = ARGV[4], ARGV[5]
local known = call('GET', record_key)
local life = life_of(record_key, ends_at, given_time)

-- Returns the greater of two numbers in texts, '' being none.
local function latest(one, other)
  if one == '' or other == '' then return one .. other end
  return tonumber(one) > tonumber(other) and one or other
end

local text = ends_at .. rest
if known and rest == '' then
  text = string.sub(known, 2)
elseif known and kind == 'session' then
  local known_generation, known_idle = string.match(known, '^.%d*:?(%d*):?(%d*)$')
  local generation, idle = string.match(rest, '^:(%d*):(%d*)$')
  text = ends_at .. ':' .. latest(known_generation, generation) .. ':' .. latest(known_idle, idle)
elseif known and is_newer(string.match(known, '\n(%d+)\n'), string.match(rest, '\n(%d+)\n')) then
  text = string.sub(known, 2)
end
local is_ended = is_end or string.sub(known or '', 1, 1) == '-'
call('SET', record_key, (is_ended and '-' or '+') .. text, 'PX', life)
return 1
