-- The clock of every script; it comes before the others and does nothing alone.
--
-- Guarantees: one clock, the server's, for all applications; machines whose clocks differ decide alike.
-- A given time replaces it in tests alone. Then keys live an hour longer, because a clock that stands still would see
-- them expire while the server's runs on.
local call = redis.call

-- How long a record without an end of its own is kept; after that it is read from the directory again.
local UNBOUND_MS = 400 * 86400000
-- How long a record is kept after its end, so that it is told to have ended and not looked up.
local GRACE_MS = 60000

-- Returns now in ms, and for how many ms a key outlives what is in it.
local function read_clock(given)
  if given ~= '' then
    return tonumber(given), 3600000
  end
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000), 1000
end

-- Returns the ms to keep a record that ends at a moment, or that has no end (''); never less than it has now.
local function life_of(key, ends_at, given)
  local now, spare = read_clock(given)
  local life = UNBOUND_MS
  if ends_at ~= '' then
    life = math.max(tonumber(ends_at) - now, 0) + GRACE_MS + spare
  end
  return math.max(life, call('PTTL', key))
end
