-- Gives back what was spent: by a request that a limit on another node of a cluster refused, or under a name.
--
-- Guarantees: afterwards the counters stand as if the request had never been; nothing else is given back, and what is
-- gone already is not given back twice.
--
-- KEYS[..] list, string or sorted set  the counters, each as window.lua, calendar.lua or lease.lua says, and after them
--                  the name as hold.lua writes it, when that says when it was spent
-- ARGV[1]  ms      when it was spent, by the clock of this node; '' when the name says it
-- ARGV[2]  text    id under which limits `at once` hold
-- ARGV[..] text    from 3, for each counter its kind as in decide.lua, the cost in units, and the ms that were left of
--                  a lease that was held already: 'w 5 0'
--
-- Returns 1, or 0 when nothing is held under the name
local spent_at, lease_id, first_counter = ARGV[1], ARGV[2], 3

if spent_at == '' then
  local held = KEYS[#KEYS]
  spent_at = call('GET', held)
  if not spent_at then return 0 end
  call('DEL', held)
end

-- Takes the newest request of a time and cost out of a window; the sums of those after it lose its extra.
local function take_from_window(key, cost)
  local extra = cost - 1
  for index = 0, call('LLEN', key) - 1 do
    local text = call('LINDEX', key, index)
    local at, sum, own_extra = string.match(text, '^(%d+):?(%d*):?(%d*)$')
    if tonumber(at) < tonumber(spent_at) then return end
    if at == spent_at and (tonumber(own_extra) or 0) == extra then
      for newer = 0, index - 1 do
        local newer_at, newer_sum, rest = string.match(call('LINDEX', key, newer), '^(%d+):(%d+)(:%d+)$')
        if newer_at then
          call('LSET', key, newer, newer_at .. ':' .. (newer_sum - extra) % SUM_MODULUS .. rest)
        end
      end
      call('LSET', key, index, '')
      call('LREM', key, 1, '')
      return
    end
  end
end

for number = first_counter, #ARGV do
  local key = KEYS[number - first_counter + 1]
  local kind, cost, left = string.match(ARGV[number], '^(%a) (%d+) (%d+)$')
  if kind == 'w' then
    take_from_window(key, tonumber(cost))
  elseif kind == 'o' and left == '0' then
    call('ZREM', key, lease_id)
  elseif kind == 'o' then
    call('ZADD', key, 'XX', spent_at + left, lease_id)
  else
    local ends, used = string.match(call('GET', key) or '', '^(%d+):(%d+)$')
    if ends and tonumber(ends) == calendar_counter().period_end(spent_at, kind == 'm') then
      call('SET', key, ends .. ':' .. math.max(used - cost, 0), 'KEEPTTL')
    end
  end
end
return 1
