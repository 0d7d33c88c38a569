--- The steps that go over the edges of one node: its end is counted at its children, or taken back there,
--- and a node that is decided lets its parents go. A step may stop half-way, and says where.
local backlog = require("backlog")
local joins = require("joins")
local links = require("links")
local member = require("member")
local members = require("members")
local promote = require("promote")
local retract = require("retract")
local sweep = require("sweep")

local counting = {}

--- Does a step over the edges of a kind, as far as the call may go: `visit(link, index, rest)` for each,
--- with the index of the node. Answers that index when it is through, and what the step says then.
local function over(w, list, step, kind, visit)
  local index, at, rest, few = step.index, step.at, step.rest, step.few
  local to = math.min(step.total, at + w.looked.visits)
  w.looked.visits = w.looked.visits - math.max(to - at, 1)
  local those, before = few and links.few(few), at
  if not those then
    local r = kind == "c" and members.source(w, index) or members.get(w, index)
    those, before = links.slice(r, kind, at, to), 0
  end
  for i = before + 1, before + to - at do
    rest = visit(those[i], index, rest) or rest
  end
  if to < step.total then
    backlog.replace(list, backlog.step(step.letter, index, to, step.total, rest, few))
    return nil
  end
  backlog.drop(list)
  return index, rest
end

--- `k`, and the state in which the node ended: its children count that. When it is a failure that none
--- of them may take, a flow that fails fast is cancelled; `+` behind the state says one may, and `=` that one has.
function counting.ended(w, step)
  local state, mark = string.match(step.rest, "^(%l+)(.?)$")
  local taken = mark == "="
  local index, rest = over(w, w.counts, step, "c", function(link, parent)
    return promote.count(w, parent, link, state, taken) and not taken and state .. "+" or nil
  end)
  if index and joins.is_failure(rest) and w.fl.policy == "f" and not w.fl.f.ca then
    sweep.begin(w, "f", "a", "node " .. member.node(members.get(w, index)).key .. " failed")
  end
end

--- `e`, and the state in which the node had ended when these edges were added.
function counting.late(w, step)
  over(w, w.counts, step, "c", function(link, parent, state)
    promote.count(w, parent, link, state)
  end)
end

--- `r`, and the state that the node has left.
function counting.reopened(w, step)
  over(w, w.counts, step, "c", function(link, _, state)
    retract.at(w, link, state)
  end)
end

--- Whether an undecided node waits for this one. Every node that is looked at counts.
local function is_needed(w, r)
  local those = links.slice(r, "c", 0, links.count(r, "c"))
  for i = 1, #those do
    w.looked.visits = w.looked.visits - 1
    if members.decision(w, those[i].index) == "o" then
      return true
    end
  end
  return false
end

--- Takes the failure of a parent, if it has failed and the node may. Answers whether it may.
local function take(w, r, link)
  local takes = joins.of(r).decision == "f" and joins.takes(r, link.condition)
  if takes then
    promote.take_failure(w, members.get(w, link.index))
  end
  return takes
end

--- `t`: a node that runs takes the failures that came to it.
function counting.takes(w, step)
  over(w, w.decided, step, "p", function(link, index)
    take(w, members.get(w, index), link)
  end)
end

--- `d`: a decided node takes failures, too, and has those parents cancelled that nobody needs any more,
--- when it asked for that.
function counting.decided(w, step)
  over(w, w.decided, step, "p", function(link, index)
    local r = members.get(w, index)
    local takes = take(w, r, link)
    local node, parent = member.node(r), members.get(w, link.index)
    if node.rest == "c" and not parent.f.ea and not parent.f.ca and not is_needed(w, parent) then
      promote.cancel(w, parent, w.now, "node " .. node.key .. " needs it no more", takes)
    end
  end)
end

return counting
