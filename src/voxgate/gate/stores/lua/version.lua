-- Versions of records; it comes before the scripts that record and does nothing alone.
--
-- Guarantees: exact for a decimal number of any length; a number of Lua is exact to 53 bits only.

-- Returns whether the known version, or nil, is newer than another.
local function is_newer(known, version)
  return known ~= nil and (#known > #version or (#known == #version and known > version))
end
