--- Whether the budgets of an execution let it start. It needs room for what it is to reserve, and none may
--- wait in front of it.
local budget = require("budget")
local drawn = require("drawn")
local keys = require("keys")
local placement = require("placement")
local reservation = require("reservation")
local share = require("share")
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

--- What says that usage alone leaves no room, also when everything that is reserved came back, or nil. Of a share the
--- home says so, as far as it has been heard of lately.
function admission.used_up(b, wanted, now)
  local home = b.f.fi and (share.is_fresh(b, now) and share.home(b) or {})
  for _, limit in ipairs(b.limits) do
    local name, least = limit.name, math.max(wanted[limit.name] or 0, 1)
    local is = home and (home[name] or {}) or limit
    if limit.hard and is.hard and is.used + least > is.hard then
      return string.format("budget %s: %d %s asked for, %d of %d used, %d reserved",
        b.budget, least, name, is.used, is.hard, is.reserved)
    end
  end
  return nil
end

--- Whether another stands in front of this place in the line of those that wait for room.
function admission.stands_behind(b, score, member)
  local first = redis.call("ZRANGE", keys.budget_line(b.partition, b.budget), 0, 0, "WITHSCORES")
  if not first[1] then
    return false
  end
  local other = first[2] + 0
  return other < score or (other == score and first[1] < member)
end

--- What keeps a record that wants this from starting, as `admission.refused` answers it, or nil.
local function refused_by(r, b, wanted, now)
  if b.is.every > 0 then
    window.roll(b, now)
  end
  local stands_behind = b.f.wl and admission.stands_behind(b, placement.score(r), r.id)
  if b.is.action == "r" or not (stands_behind or not admission.fits(b, wanted)) then
    return nil
  end
  local why = admission.used_up(b, wanted, now)
  if why and b.is.action == "f" then
    return "fail", why
  end
  return "block", b.budget, why and budget.generation(b)
end

local function by_id(one, other)
  return one.budget < other.budget
end

--- Of one that draws on budgets: nil and what it reserves, as text or nil, when it may start; else `block`, the budget that it waits for
--- and the generation in which it is set aside when there can be no room, or `fail` and why. The budgets in
--- hand are `drawn` of what is noted of the record, for what is then written. Shares come last, and all in one order: what
--- one has been granted is kept while the next is waited for, and no two wait for each other.
function admission.refused(r, now)
  local ids, budgets, wanted, foreign = drawn.ids(r.f.bu), { nil }, reservation.wanted(r), nil
  r.spent.drawn = budgets
  for i = 1, #ids do
    local b = budget.load(r.partition, ids[i])
    budgets[i] = b or false
    if b and b.f.fi then
      foreign = foreign or {}
      foreign[#foreign + 1] = b
    elseif b then
      local refused, what, aside = refused_by(r, b, wanted, now)
      if refused then
        return refused, what, aside
      end
    end
  end
  if foreign then
    table.sort(foreign, by_id)
    for _, b in ipairs(foreign) do
      local refused, what, aside = refused_by(r, b, wanted, now)
      if refused then
        return refused, what, aside
      end
    end
  end
  return nil, reservation.text(r, wanted, budgets)
end

return admission
