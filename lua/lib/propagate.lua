--- What the end of a member does to the others, step by step in a fixed order: a cancellation of the flow
--- goes over all its members first; then staged nodes start; then the ends of members are counted at
--- their children, first come first served; and when no end is left to be counted, the nodes that were
--- decided meanwhile let their parents go. A call stops after some visits, and another goes on.
local backlog = require("backlog")
local counting = require("counting")
local flow = require("flow")
local joins = require("joins")
local links = require("links")
local member = require("member")
local members = require("members")
local parents = require("parents")
local places = require("places")
local record = require("record")
local sweep = require("sweep")
local work = require("work")

local propagate = {}

local DECIDED = { d = parents.decided, t = parents.takes, u = parents.leaves }
local COUNTS = { k = counting.ended, e = counting.late, r = counting.reopened }

local function start(w)
  local index = backlog.front(w.starts)
  if index then
    backlog.drop(w.starts)
    sweep.start(w, index)
  end
  return index
end

local function count(w)
  local step = backlog.front(w.counts)
  if step then
    COUNTS[step.letter](w, step)
  end
  return step
end

local function decide(w)
  local step = backlog.front(w.decided)
  if step then
    DECIDED[step.letter](w, step)
  end
  return step
end

--- Does what is left to do, as much as the call may, and puts the flow back.
function propagate.run(w)
  while w.looked.visits > 0 do
    if w.fl.f.sw then
      sweep.go_on(w)
    elseif not (start(w) or count(w) or decide(w)) then
      break
    end
  end
  work.finish(w)
  if w.orphans[1] then
    propagate.cancel_orphans(w.fl.partition, w.orphans, w.now, w.looked)
  end
end

--- Cancels flows whose parents have ended without success, each with what hangs on it in turn.
function propagate.cancel_orphans(partition, orphans, now, looked)
  for _, id in ipairs(orphans) do
    local fl = flow.open(partition, id)
    local _, policy = flow.cancel(fl or { f = {} })
    if fl and not fl.f.ea and policy ~= "a" then
      local w = work.on(fl, now, looked)
      sweep.begin(w, "r", "a", "the execution that started the flow has ended")
      propagate.run(w)
    end
  end
end

local function work_of(r, now)
  local fl = flow.load(r.partition, member.node(r).flow)
  r.looked = r.looked or {}
  local w = work.on(fl, now, r.looked)
  members.adopt(w, r)
  return w
end

--- Puts a member back that has ended, and does what that means for the others.
function propagate.ended(r, now)
  local d, unhandled = joins.of(r), joins.is_failure(r.f.st)
  if d.unhandled ~= unhandled then
    d.unhandled = unhandled
    joins.keep(r)
  end
  r.looked = r.looked or {}
  places.commit(r, now)
  local w = work_of(r, now)
  work.ended(w, r)
  propagate.run(w)
  if r.orphans then
    propagate.cancel_orphans(r.partition, r.orphans, now, w.looked)
  end
end

--- Puts a member back that has not ended after all, and takes back what its end meant.
function propagate.reopened(r, now)
  local state, w = r.over, work_of(r, now)
  local d = joins.of(r)
  if d.was_unhandled then
    w.fl.unhandled = w.fl.unhandled - 1
  end
  record.set(r, "aw", nil)
  places.commit(r, now)
  work.reopened(w, r, state)
  if d.failed > 0 then
    local letter = d.decision == "f" and "t" or "u"
    backlog.push(w.decided, backlog.step(letter, member.node(r).index, 0, links.count(r, "p")))
  end
  propagate.run(w)
end

return propagate
