-- What runs at once; it comes before the scripts that count and does nothing alone.
--
-- Guarantees: no more than the quota is held; what nobody gives back is free after its time; work grows with the
-- logarithm of what is held.
--
-- The counter is a sorted set: lease id by the ms at which the lease ends at the latest.

-- Returns the counter's functions; made when used, as those of calendar.lua.
local function lease_counter()
  local lease = {}

  -- Reads the counter `c` as it stands now.
  function lease.open(c, now)
    c.latest = now + c.span
    c.gone = call('ZCOUNT', c.key, '-inf', now)
    c.used = call('ZCARD', c.key) - c.gone
    c.held_until = tonumber(call('ZSCORE', c.key, c.lease_id) or 0)
    -- The first two, because the first may be the one that is held again.
    c.first = call('ZRANGE', c.key, c.gone, c.gone + 1, 'WITHSCORES')
    c.next_free = c.first[2] and math.min(tonumber(c.first[2]), c.latest) - now or 0
    c.is_ahead = call('ZCOUNT', c.key, '(' .. c.latest, '+inf') > 0
  end

  -- Returns the ms after which the cost fits at the latest; 0 when it fits now.
  function lease.wait(c, now)
    local excess = c.used + c.cost - c.quota
    if excess <= 0 then return 0 end
    if c.used == 0 then return c.span end
    local place = c.gone + math.min(excess, c.used) - 1
    return math.min(tonumber(call('ZRANGE', c.key, place, place, 'WITHSCORES')[2]), c.latest) - now
  end

  -- Brings back ends that lie too far in the future because the clock was set back.
  function lease.mend(c, now)
    call('ZREMRANGEBYSCORE', c.key, '-inf', now)
    for _, id in ipairs(call('ZRANGEBYSCORE', c.key, '(' .. c.latest, '+inf')) do
      call('ZADD', c.key, c.latest, id)
    end
  end

  -- Holds a lease from now on; asked again under the same name it holds nothing more.
  function lease.admit(c, now)
    local is_held = c.held_until > now
    local other = c.first[2]
    if is_held and c.first[1] == c.lease_id then
      other = c.first[4]
    end
    c.next_free = math.min(tonumber(other or c.latest), c.latest) - now
    c.used = c.used + (is_held and 0 or 1)
    c.wait_ms = is_held and now - math.min(c.held_until, c.latest) or 0
    call('ZREMRANGEBYSCORE', c.key, '-inf', now)
    call('ZADD', c.key, c.latest, c.lease_id)
    call('PEXPIRE', c.key, c.span + c.spare)
  end

  return lease
end
