--- The steps that go over the edges of one node. A step may stop half-way, and says where.
local backlog = require("backlog")
local links = require("links")
local members = require("members")

local edges = {}

--- Does a step over the edges of a kind, as far as the call may go: `visit(link, index, rest)` for each,
--- with the index of the node. Answers that index when it is through, and what the step says then.
function edges.over(w, list, step, kind, visit)
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

return edges
