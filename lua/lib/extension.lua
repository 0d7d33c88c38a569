--- What an extension does to the nodes that are there: they get edges. Each is four values in a row:
--- index, key, and the new edges that lead out of it and into it.
local backlog = require("backlog")
local joins = require("joins")
local links = require("links")
local member = require("member")
local members = require("members")
local packed = require("packed")
local places = require("places")
local record = require("record")
local reply = require("reply")
local retract = require("retract")

local extension = {}

local VALUES = 4

--- The nodes that get edges. A refusal, when one that is to wait for another has started, comes as the
--- second value.
function extension.touched(w, text)
  local values, touched = packed.read(text), {}
  for at = 1, #values, VALUES do
    local r = members.get(w, values[at])
    local one = { r = r, children = values[at + 2], parents = values[at + 3] }
    if one.parents ~= "" and (r.f.ai or r.f.ea) then
      return nil, reply.err("NODE_STARTED", values[at + 1])
    end
    touched[#touched + 1] = one
  end
  return touched
end

--- Adds the edges. A node that waited for less waits again; what ended before is counted behind whatever
--- is left to be counted.
function extension.apply(w, touched)
  for _, one in ipairs(touched) do
    local r = one.r
    local before = links.count(r, "c")
    links.add(r, "c", one.children)
    links.add(r, "p", one.parents)
    if one.parents ~= "" then
      joins.of(r).total = links.count(r, "p")
      joins.keep(r)
      if joins.decided(r) == "o" then
        retract.hold_back(w, r)
      end
    end
    places.commit(r, w.now)
    local count = links.count(r, "c")
    if r.f.ea and count > before then
      local few = links.inline(r, "c")
      backlog.push(w.counts, backlog.step("e", member.node(r).index, before, count, r.f.st, few))
    end
  end
end

--- Notes in the flow that it was extended.
function extension.note(fl, count, edges)
  fl.nodes, fl.edges, fl.open = fl.nodes + count, fl.edges + edges, fl.open + count
  fl.revision = fl.revision + 1
  record.set(fl, "sx", nil)
end

return extension
