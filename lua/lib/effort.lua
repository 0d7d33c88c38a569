--- How much one call does in flows: what is beyond is left to the next, or to the timer.
local effort = {}

--- Members that one call visits. What is left is done by the next call, or when it is due.
local VISITS_MAX = 32

--- What one call may do, shared by everything that it does: `visits` to members. In `left` are the flows
--- in which it leaves something to do.
function effort.of(looked)
  looked = looked or {}
  looked.visits, looked.left = looked.visits or VISITS_MAX, looked.left or {}
  return looked
end

--- The flows in which a call has left something to do, joined by commas.
function effort.left(looked)
  local left = looked and looked.left
  return left and left[1] and table.concat(left, ",") or ""
end

return effort
