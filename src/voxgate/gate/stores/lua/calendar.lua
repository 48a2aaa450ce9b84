-- Quotas of the calendar; it comes before the scripts that count and does nothing alone.
--
-- Guarantees: units of a day or month, UTC, and none of another; constant work.
--
-- The counter is a string 'ends:units': the end of the day or month in ms, and the units spent in it. Its name of the
-- period makes a counter of another period count nothing, whichever way the clock went.

-- Returns the counter's functions. Redis runs a script from its first line at every call, so they are made when used.
local function calendar_counter()
  local DAY_MS = 86400000

  -- Returns the day of the month, from 1, of a number of days since 1970: years begin in March, so that the leap day is
  -- the last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  local function day_of_month(days)
    local floor = math.floor
    local day = (days + 719468) % 146097
    local year = floor((day - floor(day / 1460) + floor(day / 36524) - floor(day / 146096)) / 365)
    day = day - (365 * year + floor(year / 4) - floor(year / 100))
    local month = floor((5 * day + 2) / 153)
    return day - floor((153 * month + 2) / 5) + 1
  end

  local function period_end(now, is_month)
    local today = math.floor(now / DAY_MS)
    if not is_month then
      return (today + 1) * DAY_MS
    end
    -- The first of this month and 31 days are always in the next month.
    local later = today - day_of_month(today) + 32
    return (later - day_of_month(later) + 1) * DAY_MS
  end

  local calendar = { period_end = period_end }

  -- Reads the counter `c` as it stands now.
  function calendar.open(c, now)
    c.ends = period_end(now, c.is_month)
    local ends, used = string.match(call('GET', c.key) or '', '^(%d+):(%d+)$')
    c.used = tonumber(ends) == c.ends and tonumber(used) or 0
    c.next_free = c.used > 0 and c.ends - now or 0
  end

  -- Returns the ms until the cost fits; 0 when it fits now.
  function calendar.wait(c, now)
    return c.used + c.cost <= c.quota and 0 or c.ends - now
  end

  -- Records a request that is admitted now.
  function calendar.admit(c, now)
    c.used = c.used + c.cost
    c.next_free = c.ends - now
    call('SET', c.key, c.ends .. ':' .. c.used, 'PX', c.next_free + c.spare)
  end

  return calendar
end
