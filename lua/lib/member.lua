--- What makes an execution a member of a flow: its field `nd`, which never changes.
local member = {}

local NODE = "^(%x+) (%d+) (%l) (%d+) (%l) (%S+)$"
local LOW = 2 ^ 20
--- 2^20 divided by the golden ratio, made odd.
local STEP = 648055

--- The node that a record is: `flow`, `index` as text, `join` (`a` all, `y` any, `q` quorum), `quorum`,
--- `rest` (`l` let run, `c` cancel) and `key`.
function member.node(r)
  if not r.node then
    local flow, index, join, quorum, rest, key = string.match(r.f.nd, NODE)
    r.node = { flow = flow, index = index, join = join, quorum = quorum + 0, rest = rest, key = key }
  end
  return r.node
end

--- The id of the member with an index: that of the flow with the index for a sequence, and the low 20
--- bits moved on by a step for each node.
function member.id(flow, index)
  local low = (tonumber(string.sub(flow, -5), 16) + index * STEP) % LOW
  local ordinal, tail = string.format("%04x", index), string.format("%05x", low)
  return string.sub(flow, 1, 12) .. ordinal .. string.sub(flow, 17, 27) .. tail
end

return member
