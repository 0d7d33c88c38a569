--- What an execution is to have reserved of its budgets while it runs.
local amounts = require("amounts")

local reservation = {}

local function wanted_text(f)
  if f.ao then
    return f.rv
  end
  return f.es
end

--- What is to be reserved for the next lease: what is left of that of a paused attempt, or the estimate.
function reservation.wanted(r)
  return amounts.read(wanted_text(r.f))
end

local function is_limited(name, budgets)
  for i = 1, #budgets do
    local limit = budgets[i].limits[name]
    if limit and limit.hard then
      return true
    end
  end
  return false
end

--- What of it is reserved, as text or nil: the dimensions that some of the budgets limit.
function reservation.text(r, wanted, budgets)
  local found, all = {}, true
  for name, amount in pairs(wanted) do
    if amount > 0 and is_limited(name, budgets) then
      found[name] = amount
    else
      all = false
    end
  end
  return all and wanted_text(r.f) or amounts.text(found)
end

return reservation
