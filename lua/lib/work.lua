--- Work on one flow within one call: what is in hand of it, what is left to do, and how much of that the
--- call may still do.
local backlog = require("backlog")
local children = require("children")
local effort = require("effort")
local flow = require("flow")
local flow_end = require("flow_end")
local joins = require("joins")
local links = require("links")
local member = require("member")
local members = require("members")
local number = require("number")
local places = require("places")
local record = require("record")

local work = {}

--- Work on a flow in hand.
function work.on(fl, now, looked)
  looked = effort.of(looked)
  return {
    fl = fl, now = now, looked = looked, members = {}, counted = {}, orphans = {},
    starts = backlog.of(fl, "s"), counts = backlog.of(fl, "c"), decided = backlog.of(fl, "d"),
  }
end

--- The same work once lists of what is left to do were added to the flow.
function work.again(w)
  local other = work.on(w.fl, w.now, w.looked)
  other.members, other.counted = w.members, w.counted
  return other
end

--- A member has ended: counts that, and leaves what it means to its children to be done.
function work.ended(w, r)
  local fl, node = w.fl, member.node(r)
  fl.open = fl.open - 1
  record.set(fl, "le", r.id)
  if joins.of(r).unhandled then
    fl.unhandled = fl.unhandled + 1
  end
  local edges = links.count(r, "c")
  if edges > 0 or (fl.policy == "f" and joins.is_failure(r.f.st)) then
    local taken = joins.is_failure(r.f.st) and not joins.of(r).unhandled
    local state = taken and r.f.st .. "=" or r.f.st
    backlog.push(w.counts, backlog.step("k", node.index, 0, edges, state, links.inline(r, "c")))
  end
end

--- A flow that had ended is open again, also for the execution that started it: its cancellation is lifted, and a
--- deadline that has passed is dropped, as that of an execution is.
local function reopen(fl, now)
  local parent = fl.f.pa and places.open(fl.partition, fl.f.pa)
  if parent and not parent.f.ea then
    children.add(parent, fl.flow)
    places.commit(parent, now)
  end
  record.set(fl, "ca", nil)
  if fl.f.dl and tonumber(fl.f.dl) <= now then
    record.set(fl, "dl", nil)
  end
  record.set(fl, "ea", nil)
end

--- A member has not ended after all.
function work.reopened(w, r, state)
  local fl = w.fl
  if fl.f.ea then
    reopen(fl, w.now)
  end
  fl.open, fl.state = fl.open + 1, "open"
  local few = links.inline(r, "c")
  backlog.push(w.counts, backlog.step("r", member.node(r).index, 0, links.count(r, "c"), state, few))
end

--- Puts the flow back. It ends when its last member has and nothing is left to do.
function work.finish(w)
  members.put_back(w)
  local fl = w.fl
  local left = backlog.keep(fl, { w.starts, w.counts, w.decided }) or fl.f.sw ~= nil
  if left then
    record.set(fl, "lf", fl.f.lf or number.text(w.now))
  else
    record.set(fl, "lf", nil)
  end
  if not left and fl.open == 0 and fl.state == "open" then
    flow_end.now(fl, w.now, w.looked)
  end
  if left then
    w.looked.left[#w.looked.left + 1] = fl.flow
  end
  flow.save(fl, w.now)
end

return work
