--- What keeps an execution from being ready: a set, one bit a reason. That it waits for its parents is not stored
--- in it: what stands of its edges says so.
local number = require("number")
local record = require("record")

local DEPENDENCIES = 1
local reasons = { DELAY = 2, BUDGET = 4, HOLD = 8 }

--- Undecided, in hand or staged.
local UNDECIDED = { o = true, z = true }

local function stored(r)
  return (r.f.rs or 0) + 0
end

local function bits(r)
  local f = r.f
  local waits = f.dp and UNDECIDED[string.sub(f.dp, 1, 1)]
  return (f.rs or 0) + (waits and DEPENDENCIES or 0)
end

--- Whether a reason is in the set.
function reasons.has(r, reason)
  return stored(r) % (2 * reason) >= reason
end

--- Adds a reason.
function reasons.add(r, reason)
  if not reasons.has(r, reason) then
    record.set_number(r, "rs", stored(r) + reason)
  end
end

--- Removes a reason; every other one stays.
function reasons.remove(r, reason)
  if reasons.has(r, reason) then
    local rest = stored(r) - reason
    record.set(r, "rs", rest > 0 and number.text(rest) or nil)
  end
end

--- Whether something other than a budget is among them.
function reasons.has_others(r)
  local rest = bits(r)
  return rest > 0 and rest > (reasons.has(r, reasons.BUDGET) and reasons.BUDGET or 0)
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
