--- What keeps an execution from being ready: a set, one bit a reason.
local record = require("record")

local reasons = { DEPENDENCIES = 1, DELAY = 2, BUDGET = 4, HOLD = 8 }

local function bits(r)
  return tonumber(r.f.rs or "0")
end

--- Whether a reason is in the set.
function reasons.has(r, reason)
  return math.floor(bits(r) / reason) % 2 == 1
end

--- Adds a reason.
function reasons.add(r, reason)
  if not reasons.has(r, reason) then
    record.set_number(r, "rs", bits(r) + reason)
  end
end

--- Removes a reason; every other one stays.
function reasons.remove(r, reason)
  if reasons.has(r, reason) then
    local rest = bits(r) - reason
    record.set(r, "rs", rest > 0 and string.format("%d", rest) or nil)
  end
end

--- Removes them all.
function reasons.clear(r)
  record.set(r, "rs", nil)
end

--- Whether something other than a budget is among them.
function reasons.has_others(r)
  return bits(r) > (reasons.has(r, reasons.BUDGET) and reasons.BUDGET or 0)
end

--- The waiting state that the set implies. A delay shows only when nothing else blocks.
function reasons.state(r)
  local left = bits(r)
  if left == 0 then
    return "ready"
  elseif left == reasons.DELAY then
    return "delayed"
  end
  return "blocked"
end

return reasons
