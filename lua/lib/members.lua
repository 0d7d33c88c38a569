--- The members of a flow that a call has in hand, each taken once.
local joins = require("joins")
local keys = require("keys")
local member = require("member")
local places = require("places")

local members = {}

--- The member with an index.
function members.get(w, index)
  index = index + 0
  local r = w.members[index]
  if not r then
    r = places.open(w.fl.partition, member.id(w.fl.flow, index))
    r.looked, w.members[index] = w.looked, r
  end
  return r
end

--- A member with an index, for the edges that lead out of it and nothing else: they have a key of their own.
function members.source(w, index)
  return w.members[index + 0] or { partition = w.fl.partition, id = member.id(w.fl.flow, index), f = {} }
end

--- Notes that an edge was counted at a member, which is put back at the end of the call: of many edges
--- that lead to it, the call may count more.
function members.counted(w, r)
  w.counted[r.id] = r
end

--- Puts back the members at which edges were counted, and that nothing else has put back since.
function members.put_back(w)
  for _, r in pairs(w.counted) do
    joins.keep(r)
    if r.changed then
      places.commit(r, w.now)
    end
  end
  w.counted = {}
end

--- The decision of the member with an index.
function members.decision(w, index)
  local r = w.members[index]
  if r then
    return joins.of(r).decision
  end
  local id = member.id(w.fl.flow, index)
  local decision = string.sub(redis.call("HGET", keys.execution(w.fl.partition, id), "dp"), 1, 1)
  return decision == "z" and "o" or decision
end

--- Takes a record, which somebody else opened, for the member that it is.
function members.adopt(w, r)
  w.members[member.node(r).index + 0] = r
end

return members
