--- What happens to one member because of another: its edges are counted, it runs, is skipped, or is
--- cancelled. Only what is left to do is noted; nothing here goes on to the next member.
local backlog = require("backlog")
local flow = require("flow")
local joins = require("joins")
local links = require("links")
local member = require("member")
local members = require("members")
local number = require("number")
local places = require("places")
local reasons = require("reasons")
local run = require("run")
local told = require("told")
local work = require("work")

local promote = {}

local function after_decision(w, r)
  local d, node = joins.of(r), member.node(r)
  if (d.decision == "f" and d.failed > 0) or node.rest == "c" then
    backlog.push(w.decided, backlog.step("d", node.index, 0, links.count(r, "p")))
  end
end

--- Ends a member that nobody runs as cancelled. It may be `taken` already by the node that it is cancelled for.
local function end_cancelled(w, r, at, reason, taken)
  run.mark_cancelled(r, reason, at)
  run.finish(r, "cancelled", w.now)
  joins.of(r).unhandled = not taken
  joins.keep(r)
  places.commit(r, w.now)
  work.ended(w, r)
  for _, flow_id in ipairs(r.orphans or {}) do
    w.orphans[#w.orphans + 1] = flow_id
    w.looked.visits = w.looked.visits - 1
  end
end

--- Lets a node run.
function promote.fire(w, r)
  joins.of(r).decision = "f"
  joins.keep(r)
  r.f.st = reasons.state(r)
  if r.f.st == "ready" then
    r.f.ra = number.text(w.now)
  end
  after_decision(w, r)
  local _, _, at, reason = flow.cancel(w.fl)
  if at then
    end_cancelled(w, r, tonumber(at), reason)
  else
    places.commit(r, w.now)
  end
end

local function skip(w, r)
  joins.of(r).decision = "s"
  joins.keep(r)
  run.finish(r, "skipped", w.now)
  after_decision(w, r)
  places.commit(r, w.now)
  work.ended(w, r)
end

--- A node ran, because of the failure of this one or in spite of it.
function promote.take_failure(w, r)
  local d = joins.of(r)
  if d.unhandled then
    d.unhandled = false
    joins.keep(r)
    places.commit(r, w.now)
    w.fl.unhandled = w.fl.unhandled - 1
  end
end

--- A node that was to run because of the failure of this one, or in spite of it, waits again.
function promote.leave_failure(w, r)
  joins.of(r).unhandled = true
  joins.keep(r)
  places.commit(r, w.now)
  w.fl.unhandled = w.fl.unhandled + 1
end

--- Counts the end of a parent, given by its index, at one child. Answers whether that may take a failure, unless
--- one is `taken` already.
function promote.count(w, parent, link, state, taken)
  local r = members.get(w, link.index)
  local d, takes = joins.of(r), joins.takes(r, link.condition)
  joins.count(r, link.condition, state, 1)
  local was, is = d.decision, joins.decided(r)
  if was == "o" and is == "f" then
    promote.fire(w, r)
  elseif was == "o" and is == "s" then
    skip(w, r)
  else
    members.counted(w, r)
    if was == "f" and takes and joins.is_failure(state) and not taken then
      promote.take_failure(w, members.get(w, parent))
    end
  end
  return takes and (d.decision == "o" or d.decision == "f")
end

--- Cancels a member that has not ended: one that runs is told, any other ends, and its failure may be `taken` by
--- the node that it is cancelled for.
function promote.cancel(w, r, at, reason, taken)
  if r.f.ea then
    return
  elseif not r.f.li then
    end_cancelled(w, r, at, reason, taken)
  elseif not r.f.ca then
    run.set_cancelled(r, reason, at)
    places.commit(r, w.now)
    told.cancelled(r)
  end
end

return promote
