-- Spends limits of one account under a name, so that they can be given back once.
--
-- Guarantees: one atomic call. Every limit is spent and the name kept, or none of them; a refusal writes nothing but
-- what the clock has made wrong.
--
-- KEYS[..] list or string  the counters, each as window.lua or calendar.lua says, and after them the name: a string,
--                  the ms at which they were spent
-- ARGV[1]  ms      given time; '' for the server's
-- ARGV[2]  ms      for which the name is kept
-- ARGV[..] text    from 3, for each counter its kind w window, d day or m month, quota in units, window in ms and cost
--                  in units: 'w 10 60000 1'
--
-- Returns {'' | 'RATE_LIMITED', '', '', now in ms, and for each limit three as decide.lua does}
local now, spare = read_clock(ARGV[1])
local kept, first_counter = ARGV[2], 3

local counters, answer = {}, { '', '', '', now }
for number = first_counter, #ARGV do
  local sort, quota, span, cost = string.match(ARGV[number], '^(%a) (%d+) (%d+) (%d+)$')
  local c = { key = KEYS[number - first_counter + 1], quota = tonumber(quota), span = tonumber(span) }
  c.cost, c.spare, c.is_month = tonumber(cost), spare, sort == 'm'
  c.of = sort == 'w' and window or calendar_counter()
  c.of.open(c, now)
  c.wait_ms = c.of.wait(c, now)
  if c.wait_ms > 0 then answer[1] = 'RATE_LIMITED' end
  counters[#counters + 1] = c
end
for _, c in ipairs(counters) do
  if c.is_ahead then c.of.mend(c, now) end
  if answer[1] == '' then c.of.admit(c, now) end
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = c.used, c.next_free, c.wait_ms
end
if answer[1] == '' then call('SET', KEYS[#KEYS], now, 'PX', kept + spare) end
return answer
