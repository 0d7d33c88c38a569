--- What a client has decided about a schedule, with its calendar, and what is to become of it.
local drawn = require("drawn")
local packed = require("packed")
local record = require("record")

local planned = {}

local BUDGETS, PAYLOAD = 12, 7

--- Sets fields to what a client says, packed as names and values; an empty value removes one.
function planned.set(s, fields)
  local values = packed.read(fields)
  for at = 1, #values, 2 do
    record.set(s, values[at], values[at + 1] ~= "" and values[at + 1] or nil)
  end
end

--- The values of its work, as `submission` takes them.
function planned.work(s)
  local values = packed.read(s.f.wk)
  values[PAYLOAD] = s.f.pl or ""
  return values
end

--- The first budget that its work draws on and that is not there, or nil.
function planned.unknown_budget(s)
  return drawn.unknown(s.partition, planned.work(s)[BUDGETS])
end

--- Goes on to the next version.
function planned.next_version(s)
  record.set_number(s, "ve", tonumber(s.f.ve) + 1)
end

return planned
