--- Where a record stands in the indexes. Both places follow from the record alone.
local number = require("number")
local policy = require("policy")

local placement = {}

--- Ranks are this far apart: 256 of them and every time until the year 3084 are exact in a double.
local RANK = 2 ^ 45
local PRIORITY_MAX = 100

local function due(r)
  local f = r.f
  if f.ea then
    return number.later(tonumber(f.ea), policy.retention(r))
  end
  if f.li then
    return tonumber(f.lx)
  end
  local at = f.du and tonumber(f.du)
  if f.gx then
    at = math.min(at or number.TIME_MAX, tonumber(f.gx))
  end
  if f.dl then
    at = math.min(at or number.TIME_MAX, tonumber(f.dl))
  end
  return at
end

--- The queue (`f`, `c` or nil), the score in it, and when time alone changes the record.
---
--- A score orders by priority, highest first, then by since when the execution is ready; the
--- server orders equal scores by id.
function placement.of(r)
  local f = r.f
  if f.st == "ready" and not f.gi then
    local score = (PRIORITY_MAX - tonumber(f.pr)) * RANK + math.min(tonumber(f.ra), RANK - 1)
    return f.en or "f", score, due(r)
  end
  return nil, nil, due(r)
end

return placement
