--- Whether the budgets of an execution let it start. It needs room for what it is to reserve, and none may
--- wait in front of it.
local budget = require("budget")
local keys = require("keys")
local placement = require("placement")
local reservation = require("reservation")
local window = require("window")

local admission = {}

local ID_BYTES = 32

--- Calls `visit` with the id of each budget that a record draws on.
function admission.each(r, visit)
  local ids = r.f.bu or ""
  if #ids == ID_BYTES then
    return visit(ids)
  end
  for at = 1, #ids, ID_BYTES do
    visit(string.sub(ids, at, at + ID_BYTES - 1))
  end
end

--- Of these ids, the first that stands for no budget, or nil.
function admission.unknown(partition, ids)
  for at = 1, #ids, ID_BYTES do
    local id = string.sub(ids, at, at + ID_BYTES - 1)
    if redis.call("EXISTS", keys.budget(partition, id)) == 0 then
      return id
    end
  end
  return nil
end

--- Whether this may be reserved: of each limited dimension, one at least.
function admission.fits(b, wanted)
  for name, limit in pairs(b.limits) do
    local least = wanted[name] or 0
    if limit.hard and limit.hard - limit.used - limit.reserved < (least < 1 and 1 or least) then
      return false
    end
  end
  return true
end

--- What says that usage alone leaves no room, also when everything that is reserved came back, or nil.
function admission.used_up(b, wanted)
  for _, name in ipairs(b.names) do
    local limit, least = b.limits[name], math.max(wanted[name] or 0, 1)
    if limit.hard and limit.used + least > limit.hard then
      return string.format("budget %s: %d %s asked for, %d of %d used, %d reserved",
        b.budget, least, name, limit.used, limit.hard, limit.reserved)
    end
  end
  return nil
end

--- Whether one stands in front of a record in the line of those that wait for room.
local function waits_behind(r, b)
  if not b.f.wl then
    return false
  end
  local first = redis.call("ZRANGE", keys.budget_line(r.partition, b.budget), 0, 0, "WITHSCORES")
  if not first[1] then
    return false
  end
  local own, score = placement.score(r) + 0, first[2] + 0
  return score < own or (score == own and first[1] < r.id)
end

--- Of one that draws on budgets: nil and what it reserves, as text or nil, when it may start; else `block`, the budget that it waits for
--- and the generation in which it is set aside when there can be no room, or `fail` and why. The budgets in
--- hand are `drawn` of the record, for what is then written.
function admission.refused(r, now)
  local budgets = {}
  r.drawn = {}
  admission.each(r, function(id)
    local b = budget.load(r.partition, id)
    if b and b.action ~= "r" then
      window.roll(b, now)
      budgets[#budgets + 1], r.drawn[id] = b, b
    end
  end)
  local wanted = reservation.wanted(r)
  for _, b in ipairs(budgets) do
    if waits_behind(r, b) or not admission.fits(b, wanted) then
      local why = admission.used_up(b, wanted)
      if why and b.action == "f" then
        return "fail", why
      end
      return "block", b.budget, why and b.generation
    end
  end
  return nil, reservation.text(r, wanted, budgets)
end

return admission
