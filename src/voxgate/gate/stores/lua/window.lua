-- The sliding window; it comes before the scripts that count and does nothing alone.
--
-- Guarantees: exact. What was admitted at t counts until t + window and no longer, and no window of the length ever
-- holds more than the quota. The work is constant or grows with the logarithm of the limit. `open` and `wait` only
-- read; `mend` and `admit` only write.
--
-- The counter is a list, newest request first. 'ms' is one request of cost 1; Redis packs it into 10 bytes. Once a
-- heavier one came, and until the list is empty again, each is 'ms:sum:extra': its cost is 1 + extra, and sum adds the
-- extras of all up to this one. So the units between two places are a difference, and every search is a bisection.
local SUM_MODULUS = 1e12

-- Returns time, sum and extra of an admitted request.
local function entry_at(key, index)
  local text = call('LINDEX', key, index)
  local at = tonumber(text)
  if at then
    return at, 0, 0
  end
  local time, sum, extra = string.match(text, '^(%d+):(%d+):(%d+)$')
  return tonumber(time), tonumber(sum), tonumber(extra)
end

-- Returns how many requests, from the oldest on, were admitted at a moment or before it.
local function count_until(key, length, moment)
  local low, high = 0, 1
  while high <= length and entry_at(key, -high) <= moment do
    low, high = high, high * 2
  end
  high = math.min(high, length + 1)
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if entry_at(key, -middle) <= moment then low = middle else high = middle end
  end
  return low
end

local window = {}

-- Reads the counter `c` as it stands now: units used, ms until something is free, entries gone, whether it lies ahead.
function window.open(c, now)
  local length = call('LLEN', c.key)
  c.length, c.gone, c.used, c.next_free, c.sum, c.base = length, 0, 0, 0, 0, 0
  if length == 0 then return end
  local oldest, first_sum, first_extra = entry_at(c.key, -1)
  if oldest <= now - c.span then
    c.gone = count_until(c.key, length, now - c.span)
    if c.gone == length then return end
    oldest, first_sum, first_extra = entry_at(c.key, -c.gone - 1)
  end
  local newest, sum = entry_at(c.key, 0)
  c.sum, c.base, c.is_ahead = sum, first_sum - first_extra, newest > now
  c.used = length - c.gone + (sum - c.base) % SUM_MODULUS
  c.next_free = math.min(oldest, now) + c.span - now
end

-- Returns the ms until the cost fits; 0 when it fits now, a whole window when it never does.
function window.wait(c, now)
  local excess = c.used + c.cost - c.quota
  if excess <= 0 then return 0 end
  if excess > c.used then return c.span end
  local low, high = c.gone, c.length
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    local _, sum = entry_at(c.key, -middle)
    if middle - c.gone + (sum - c.base) % SUM_MODULUS >= excess then high = middle else low = middle end
  end
  return math.min(entry_at(c.key, -high), now) + c.span - now
end

local function trim(c)
  if c.gone > 0 then
    call('LTRIM', c.key, 0, -c.gone - 1)
    c.length, c.gone = c.length - c.gone, 0
  end
end

-- Brings back what lies in the future because the clock was set back; else it would be held until then.
function window.mend(c, now)
  trim(c)
  for index = 0, c.length - count_until(c.key, c.length, now) - 1 do
    local rest = string.match(call('LINDEX', c.key, index), '^%d+(.*)$')
    call('LSET', c.key, index, now .. rest)
  end
end

-- Records a request that is admitted now.
function window.admit(c, now)
  trim(c)
  local entry = now
  if c.cost > 1 or c.sum > 0 then
    entry = now .. ':' .. (c.sum + c.cost - 1) % SUM_MODULUS .. ':' .. c.cost - 1
  end
  call('LPUSH', c.key, entry)
  call('PEXPIRE', c.key, c.span + c.spare)
  c.used = c.used + c.cost
  if c.next_free == 0 then c.next_free = c.span end
end
