--- What an execution is to have reserved of its budgets while it runs. While an attempt is open that is the estimate,
--- unless the field `rv` says something else.
local amounts = require("amounts")
local record = require("record")

local reservation = {}

local NOTHING = {}

--- What the open attempt, or the one that a token leads to, may still report within its reservation, as text or nil.
function reservation.left(f)
  local left = f.bu and (f.ao or f.gi) and (f.rv or f.es)
  return left ~= "" and left or nil
end

--- Sets what is left, as text or nil.
function reservation.set(r, left)
  if not r.f.bu then
    return
  end
  left = left or ""
  record.set(r, "rv", left ~= (r.f.es or "") and left or nil)
end

local function wanted_text(f)
  return f.ao and f.rv or f.es
end

--- What is to be reserved for the next lease: what is left of that of a paused attempt, or the estimate.
function reservation.wanted(r)
  return amounts.read(wanted_text(r.f))
end

local function is_limited(name, budgets)
  for i = 1, #budgets do
    local b = budgets[i]
    local limits = b and b.is.action ~= "r" and b.limits or NOTHING
    for j = 1, #limits do
      if limits[j].hard and limits[j].name == name then
        return true
      end
    end
  end
  return false
end

local function limited(wanted, budgets)
  local found = {}
  for name, amount in pairs(wanted) do
    found[name] = is_limited(name, budgets) and amount or 0
  end
  return amounts.text(found)
end

--- What of it is reserved, as text or nil: the dimensions that some of these budgets limit.
function reservation.text(r, wanted, budgets)
  for name, amount in pairs(wanted) do
    if amount == 0 or not is_limited(name, budgets) then
      return limited(wanted, budgets)
    end
  end
  return wanted_text(r.f)
end

--- Replaces one reservation of a budget by another. Answers whether there is more room by it.
function reservation.settle(b, before, after)
  local freed = false
  if b.is.action == "r" then
    return freed
  end
  for i = 1, #b.limits do
    local limit = b.limits[i]
    local was, is = before[limit.name] or 0, after[limit.name] or 0
    limit.reserved = (limit.reserved > was and limit.reserved - was or 0) + is
    freed = freed or is < was
  end
  return freed
end

return reservation
