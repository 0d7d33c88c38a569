--- The end of a node is counted at its children, or taken back there.
local edges = require("edges")
local joins = require("joins")
local member = require("member")
local members = require("members")
local promote = require("promote")
local retract = require("retract")
local sweep = require("sweep")

local counting = {}

--- `k`, and the state in which the node ended: its children count that. When it is a failure that none
--- of them may take, a flow that fails fast is cancelled, unless a replay has opened the node again meanwhile; `+`
--- behind the state says that one may take it, and `=` that one has.
function counting.ended(w, step)
  local state, mark = string.match(step.rest, "^(%l+)(.?)$")
  local taken = mark == "="
  local index, rest = edges.over(w, w.counts, step, "c", function(link, parent)
    return promote.count(w, parent, link, state, taken) and not taken and state .. "+" or nil
  end)
  if index and joins.is_failure(rest) and w.fl.policy == "f" and not w.fl.f.ca then
    local r = members.get(w, index)
    if r.f.ea then
      sweep.begin(w, "f", "a", "node " .. member.node(r).key .. " failed")
    end
  end
end

--- `e`, and the state in which the node had ended when these edges were added.
function counting.late(w, step)
  edges.over(w, w.counts, step, "c", function(link, parent, state)
    promote.count(w, parent, link, state)
  end)
end

--- `r`, and the state that the node has left.
function counting.reopened(w, step)
  edges.over(w, w.counts, step, "c", function(link, _, state)
    retract.at(w, link, state)
  end)
end

return counting
