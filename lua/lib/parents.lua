--- What the decision of a node means for its parents: whose failures it takes, and which it lets go.
local edges = require("edges")
local joins = require("joins")
local links = require("links")
local member = require("member")
local members = require("members")
local promote = require("promote")

local parents = {}

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
function parents.takes(w, step)
  edges.over(w, w.decided, step, "p", function(link, index)
    take(w, members.get(w, index), link)
  end)
end

--- Whether a node runs because of the failure of this one or in spite of it. Every node that is looked at counts.
local function is_taken(w, r)
  local those = links.slice(r, "c", 0, links.count(r, "c"))
  for i = 1, #those do
    w.looked.visits = w.looked.visits - 1
    local child = members.get(w, those[i].index)
    if joins.of(child).decision == "f" and joins.takes(child, those[i].condition) then
      return true
    end
  end
  return false
end

--- `u`: a node that waits again leaves the failures of its parents that no other takes.
function parents.leaves(w, step)
  edges.over(w, w.decided, step, "p", function(link, index)
    local r, parent = members.get(w, index), members.get(w, link.index)
    local takes = joins.of(r).decision ~= "f" and joins.takes(r, link.condition)
    if takes and joins.is_failure(parent.f.st) and not joins.of(parent).unhandled and not is_taken(w, parent) then
      promote.leave_failure(w, parent)
    end
  end)
end

--- `d`: a decided node takes failures, too, and has those parents cancelled that nobody needs any more,
--- when it asked for that.
function parents.decided(w, step)
  edges.over(w, w.decided, step, "p", function(link, index)
    local r = members.get(w, index)
    local takes = take(w, r, link)
    local node, parent = member.node(r), members.get(w, link.index)
    if node.rest == "c" and not parent.f.ea and not parent.f.ca and not is_needed(w, parent) then
      promote.cancel(w, parent, w.now, "node " .. node.key .. " needs it no more", takes)
    end
  end)
end

return parents
