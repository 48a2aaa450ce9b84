-- Notes the names of counters that are in use, so that a reset finds those of a partition without a search.
--
-- Guarantees: the names outlive the counters that they name.
--
-- KEYS[1]  set     names of counters
-- ARGV[..] text    names
--
-- Returns how many were new
local names_key = KEYS[1]
local added = call('SADD', names_key, unpack(ARGV))
call('PEXPIRE', names_key, UNBOUND_MS)
return added
