--- A flow in hand: its fields as texts, and those of `s` and `c` as fields of their own.
---
--- @field s  submitted: when, failure policy (`i` isolate, `f` fail fast), retention in ms, fingerprint
--- @field c  state (`staged` while it is not sealed, `removing` when it goes), revision, how many nodes and edges it has, how many members are open, how many failures left to themselves
--- @field dl deadline
--- @field ea when it ended
--- @field le the member that ended last
--- @field pa the execution that started it
--- @field dd how many flows it lies within
--- @field tg tags, one `<key> <value>` a line
--- @field bu the budgets that every member draws on, also one that comes later, 32 digits each
--- @field ca cancellation: cause (`r` requested, `f` a failure, `d` deadline), policy (`o` flow only, `p` pending, `a` all), when, reason
--- @field sw index of the member with which its cancellation goes on
--- @field bl which lists of what is left to do exist
--- @field lf since when something is left to do
--- @field sx who stages nodes, and up to which index
--- @field sm how many nodes were stored at the most, also by somebody who gave up
--- @field sg when what is staged is given up
--- @field on how many requests changed it
--- @field o0 to `o7`: the latest of them, and what they did
--- @field aw set while somebody waits for the end
local changes = require("changes")
local keys = require("keys")
local member = require("member")
local number = require("number")
local record = require("record")
local timers = require("timers")

local flow = {}

local SUBMITTED = "^(%d+) (%l) (%d+) (%x+)$"
local STANDING = "^(%l+) (%d+) (%d+) (%d+) (%d+) (%d+)$"
local CANCEL = "^(%l) (%l) (%d+) (.*)$"

--- What stands first in the due-index for a flow: no id of an execution starts like this.
function flow.due_name(id)
  return "f" .. id
end

--- A flow from its stored fields, a list of names and values.
local function in_hand(partition, id, flat)
  local f = {}
  for i = 1, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  local at, policy, retention, fingerprint = string.match(f.s, SUBMITTED)
  local state, revision, nodes, edges, open, unhandled = string.match(f.c, STANDING)
  return {
    partition = partition, flow = id, id = flow.due_name(id), f = f,
    at = at, policy = policy, retention = retention + 0, fingerprint = fingerprint,
    state = state, revision = revision + 0, nodes = nodes + 0, edges = edges + 0,
    open = open + 0, unhandled = unhandled + 0,
  }
end

--- The flow, staged or not, or nil when there is none.
function flow.load(partition, id)
  local flat = redis.call("HGETALL", keys.flow(partition, id))
  if #flat == 0 then
    return nil
  end
  local fl = in_hand(partition, id, flat)
  fl.due = flow.due(fl)
  return fl
end

--- A flow that is not stored yet, of the fields `s` and `c`.
function flow.new(partition, id, submitted, standing)
  return in_hand(partition, id, { "s", submitted, "c", standing })
end

--- Whether everybody sees a flow in this state.
function flow.is_seen(state)
  return state ~= "staged" and state ~= "removing"
end

--- The flow that everybody sees, or nil when there is none.
function flow.open(partition, id)
  local fl = flow.load(partition, id)
  return fl and flow.is_seen(fl.state) and fl or nil
end

--- Cause, policy, time and reason of its cancellation, or nil.
function flow.cancel(fl)
  if fl.f.ca then
    return string.match(fl.f.ca, CANCEL)
  end
  return nil
end

--- When time alone changes it, as text, or nil. What is left to do is due.
function flow.due(fl)
  local f, at = fl.f, nil
  if not (f.ea or f.dl or f.lf or f.sg) then
    return nil
  elseif f.ea then
    at = number.text(number.later(f.ea, fl.retention))
  elseif flow.is_seen(fl.state) then
    local _, policy = flow.cancel(fl)
    at = policy ~= "a" and f.dl or nil
  end
  return number.earlier(number.earlier(at, f.lf), f.sg)
end

--- Its stored fields as a list of names and values, for a reply.
function flow.flat(fl)
  local flat = {}
  for field, value in pairs(fl.f) do
    flat[#flat + 1], flat[#flat + 2] = field, value
  end
  return flat
end

--- Whether a record is a node that is staged, which nobody sees.
function flow.hides(r)
  if string.sub(r.f.dp, 1, 1) ~= "z" then
    return false
  end
  local node = member.node(r)
  local standing = redis.call("HGET", keys.flow(r.partition, node.flow), "c")
  local state, _, nodes = string.match(standing or "", STANDING)
  return not state or not flow.is_seen(state) or tonumber(node.index) >= tonumber(nodes)
end

--- Time and reason of the cancellation of the flow of a member while that is under way, or nil.
function flow.cancel_of(r)
  local kept = redis.call("HMGET", keys.flow(r.partition, member.node(r).flow), "ca", "ea")
  if kept[1] and not kept[2] then
    local _, _, at, reason = string.match(kept[1], CANCEL)
    return tonumber(at), reason
  end
  return nil
end

--- Writes it, and brings its timer along.
function flow.save(fl, now)
  record.set(fl, "c", fl.state .. " " .. number.text(fl.revision) .. " " .. number.text(fl.nodes) .. " "
    .. number.text(fl.edges) .. " " .. number.text(fl.open) .. " " .. number.text(fl.unhandled))
  if fl.changed then
    changes.save(fl, keys.flow(fl.partition, fl.flow))
  end
  local due = flow.due(fl)
  if due and due ~= fl.due then
    timers.set(fl, due, now)
  elseif fl.due and not due then
    timers.remove(fl)
  end
  fl.due = due
end

return flow
