--- Whether the budgets of an execution let it start. It needs room for what it is to reserve, and none may
--- wait in front of it.
local budget = require("budget")
local drawn = require("drawn")
local keys = require("keys")
local placement = require("placement")
local reservation = require("reservation")
local window = require("window")

local admission = {}

--- Whether this may be reserved: of each limited dimension, one at least.
function admission.fits(b, wanted)
  for i = 1, #b.limits do
    local limit = b.limits[i]
    local least = wanted[limit.name] or 0
    if limit.hard and limit.hard - limit.used - limit.reserved < (least < 1 and 1 or least) then
      return false
    end
  end
  return true
end

--- What says that usage alone leaves no room, also when everything that is reserved came back, or nil.
function admission.used_up(b, wanted)
  for _, limit in ipairs(b.limits) do
    local name, least = limit.name, math.max(wanted[limit.name] or 0, 1)
    if limit.hard and limit.used + least > limit.hard then
      return string.format("budget %s: %d %s asked for, %d of %d used, %d reserved",
        b.budget, least, name, limit.used, limit.hard, limit.reserved)
    end
  end
  return nil
end

--- Whether one stands in front of a record in the line of those that wait for room.
local function waits_behind(r, b)
  local first = redis.call("ZRANGE", keys.budget_line(r.partition, b.budget), 0, 0, "WITHSCORES")
  if not first[1] then
    return false
  end
  local own, score = placement.score(r), first[2] + 0
  return score < own or (score == own and first[1] < r.id)
end

--- Of one that draws on budgets: nil and what it reserves, as text or nil, when it may start; else `block`, the budget that it waits for
--- and the generation in which it is set aside when there can be no room, or `fail` and why. The budgets in
--- hand are `drawn` of what is noted of the record, for what is then written.
function admission.refused(r, now)
  local ids, budgets, wanted = drawn.ids(r.f.bu), { nil }, reservation.wanted(r)
  r.spent.drawn = budgets
  for i = 1, #ids do
    local b = budget.load(r.partition, ids[i])
    budgets[i] = b or false
    if b then
      if b.is.every > 0 then
        window.roll(b, now)
      end
      if b.is.action ~= "r" and ((b.f.wl and waits_behind(r, b)) or not admission.fits(b, wanted)) then
        local why = admission.used_up(b, wanted)
        if why and b.is.action == "f" then
          return "fail", why
        end
        return "block", b.budget, why and budget.generation(b)
      end
    end
  end
  return nil, reservation.text(r, wanted, budgets)
end

return admission
