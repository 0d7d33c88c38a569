--- What the decision of a node means for its parents: whose failures it takes, and which it lets go.
local edges = require("edges")
local joins = require("joins")
local links = require("links")
local member = require("member")
local members = require("members")
local number = require("number")
local promote = require("promote")

local parents = {}

--- Whether any child of a node from a place on is such a one. Every child that is looked at counts but for the first,
--- which the visit to the node pays for, so that a call may stop before it knows: then the answer is nil, and the place
--- where another goes on.
local function has_child(w, r, from, is_such)
  local total = links.count(r, "c")
  local to = math.min(total, from + math.max(w.looked.visits, 1))
  local those = links.slice(r, "c", from, to)
  for i = 1, #those do
    w.looked.visits = w.looked.visits - (i > 1 and 1 or 0)
    if is_such(w, those[i]) then
      return true
    end
  end
  if to < total then
    return nil, to
  end
  return false
end

--- Whether it waits for its parents still.
local function is_undecided(w, link)
  return members.decision(w, link.index) == "o"
end

--- Whether it runs because of the failure of its parent or in spite of it.
local function is_taker(w, link)
  return members.decision(w, link.index) == "f" and joins.takes(members.get(w, link.index), link.condition)
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

--- `u`: a node that waits again leaves the failures of its parents that no other takes. The step says how many
--- children of the parent were looked at before.
function parents.leaves(w, step)
  edges.over(w, w.decided, step, "p", function(link, index, seen)
    local r, parent = members.get(w, index), members.get(w, link.index)
    local takes = joins.of(r).decision ~= "f" and joins.takes(r, link.condition)
    if not takes or not joins.is_failure(parent.f.st) or joins.of(parent).unhandled then
      return "", false
    end
    local taken, place = has_child(w, parent, tonumber(seen) or 0, is_taker)
    if place then
      return number.text(place), true
    elseif not taken then
      promote.leave_failure(w, parent)
    end
    return "", false
  end)
end

--- `d`: a decided node takes failures, too, and has those parents cancelled that nobody needs any more,
--- when it asked for that. The step says how many children of the parent were looked at before.
function parents.decided(w, step)
  edges.over(w, w.decided, step, "p", function(link, index, seen)
    local r = members.get(w, index)
    local takes = take(w, r, link)
    local node, parent = member.node(r), members.get(w, link.index)
    if node.rest ~= "c" or parent.f.ea or parent.f.ca then
      return "", false
    end
    local needed, place = has_child(w, parent, tonumber(seen) or 0, is_undecided)
    if place then
      return number.text(place), true
    elseif not needed then
      promote.cancel(w, parent, w.now, "node " .. node.key .. " needs it no more", takes)
    end
    return "", false
  end)
end

return parents
