--- The steps that go over the edges of one node. A step may stop half-way, and says where.
local backlog = require("backlog")
local links = require("links")
local members = require("members")

local edges = {}

--- Does a step over the edges of a kind, as far as the call may go: `visit(link, index, rest)` for each,
--- with the index of the node. It answers what the step says from then on, if that is something else, and whether it
--- is to come to this edge once more. Answers that index when it is through, and what the step says then.
function edges.over(w, list, step, kind, visit)
  local index, at, rest, few, looked = step.index, step.at, step.rest, step.few, w.looked
  local to = math.min(step.total, at + looked.visits)
  local those, before = few and links.few(few), at
  if not those then
    local r = kind == "c" and members.source(w, index) or members.get(w, index)
    those, before = links.slice(r, kind, at, to), 0
  end
  if at == to then
    looked.visits = looked.visits - 1
  end
  local first, again = at, false
  while at < to and looked.visits > 0 and not again do
    looked.visits = looked.visits - 1
    local says
    says, again = visit(those[before + at - first + 1], index, rest)
    rest, at = says or rest, again and at or at + 1
  end
  if at < step.total then
    backlog.replace(list, backlog.step(step.letter, index, at, step.total, rest, few))
    return nil
  end
  backlog.drop(list)
  return index, rest
end

return edges
