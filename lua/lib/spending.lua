--- Budgets beside the executions that draw on them: what a lease has reserved, and who waits for room.
local admission = require("admission")
local amounts = require("amounts")
local budget = require("budget")
local keys = require("keys")
local number = require("number")
local placement = require("placement")
local reasons = require("reasons")
local record = require("record")
local run = require("run")

local spending = {}

--- Makes an execution wait for room in a budget.
function spending.block(r, id)
  reasons.add(r, reasons.BUDGET)
  record.set(r, "bo", id)
  r.f.st = reasons.state(r)
end

--- Lets it fail because its budget is used up.
function spending.fail(r, why, now)
  run.record_failure(r, "permanent", why, nil, now)
  run.finish(r, "failed", now)
end

--- What its budgets have to know of a record before it is changed.
function spending.note(r)
  local f = r.f
  return {
    leased = f.li ~= nil, reserved = f.rv, awaits = f.bo, since = f.ra, kept_back = reasons.has_others(r),
  }
end

--- Replaces one reservation by another. Answers whether there is more room by it.
function spending.settle(b, before, after)
  local freed = false
  if b.action == "r" then
    return freed
  end
  for name, limit in pairs(b.limits) do
    local was, is = before[name] or 0, after[name] or 0
    limit.reserved = math.max(limit.reserved - was, 0) + is
    freed = freed or is < was
  end
  return freed
end

--- Brings the lines of those that wait along with a record that was as `was`.
local function line_up(r, was)
  if was.awaits and was.awaits ~= r.f.bo then
    redis.call("ZREM", keys.budget_line(r.partition, was.awaits), r.id)
  end
  if r.f.bo and (was.awaits ~= r.f.bo or was.since ~= r.f.ra) then
    redis.call("ZADD", keys.budget_line(r.partition, r.f.bo), placement.score(r), r.id)
  end
end

local function follow(r, was, id, now)
  local f = r.f
  local starts, begins = f.li and not was.leased, f.bo == id and was.awaits ~= id
  local leaves = was.awaits == id and (f.ea or (reasons.has_others(r) and not was.kept_back))
  local ends = was.leased and not f.li and was.reserved
  if not (starts or begins or leaves or ends) then
    return
  end
  local b = r.drawn and r.drawn[id] or budget.load(r.partition, id)
  if not b then
    return
  elseif starts or begins then
    budget.roll(b, now)
  end
  local freed = spending.settle(b, amounts.read(was.leased and was.reserved or nil), amounts.read(f.li and f.rv or nil))
  if (freed or leaves) and redis.call("EXISTS", keys.budget_line(r.partition, id)) == 1 then
    record.set_number(b, "la", now)
  end
  if begins then
    record.set(b, "la", number.earlier(b.f.la, budget.window_end(b)))
  end
  budget.save(b, now)
end

--- Brings the budgets of a record along that was as `was`, which is a note, or nil
--- of one that draws on none.
function spending.follow(r, was, now)
  if not was then
    return
  end
  line_up(r, was)
  admission.each(r, function(id)
    follow(r, was, id, now)
  end)
  r.drawn = nil
end

return spending
