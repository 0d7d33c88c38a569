--- New members of a flow. Each is twenty-one values in a row: key, join, quorum, what happens to the rest,
--- the edges that lead out of it and into it, and then those of a submission, behind a value that is
--- empty.
local drawn = require("drawn")
local intake = require("intake")
local joins = require("joins")
local keys = require("keys")
local lanes = require("lanes")
local links = require("links")
local member = require("member")
local number = require("number")
local places = require("places")
local reasons = require("reasons")
local record = require("record")
local removal = require("removal")
local reply = require("reply")
local submission = require("submission")

local nodes = {}

local VALUES = 21
local SUBMISSION_AT = 6

local function new(partition, flow, index, values, at, staged, looked, now)
  local id = member.id(flow, index)
  local is = lanes.of(partition, values[at + SUBMISSION_AT + 2], looked)
  local r = submission.record(partition, id, values, at + SUBMISSION_AT, is and is.ttl or nil, now)
  r.f.nd = flow .. " " .. number.text(index) .. " " .. values[at + 1] .. " " .. values[at + 2] .. " "
    .. values[at + 3] .. " " .. values[at]
  links.add(r, "c", values[at + 4])
  links.add(r, "p", values[at + 5])
  local total = links.count(r, "p")
  local decision = staged and "z" or total == 0 and "f" or "o"
  r.f.dp = decision .. " " .. number.text(total) .. " 0 0 0 0"
  if decision ~= "f" then
    r.f.st = reasons.state(r)
  end
  return r
end

--- Removes what is stored of a member that nobody sees or needs.
function nodes.remove(partition, flow, index)
  local r = record.load(partition, member.id(flow, index))
  if r then
    removal.of(r)
  end
end

--- How many members these values are.
function nodes.count(values)
  return #values / VALUES
end

--- A refusal when a budget that new members draw on is not there, or a lane takes none of them in; or nil.
function nodes.refused(partition, values, looked)
  local known, admitted = {}, {}
  for at = 1, #values, VALUES do
    local ids = values[at + SUBMISSION_AT + 12]
    if ids ~= "" and not known[ids] then
      local unknown = drawn.unknown(partition, ids)
      if unknown then
        return reply.err("BUDGET_NOT_FOUND", unknown)
      end
      known[ids] = true
    end
  end
  for at = 1, #values, VALUES do
    local name = values[at + SUBMISSION_AT + 2]
    if not admitted[name] then
      local _, refused = intake.admits(partition, name, looked)
      if refused then
        return refused
      end
      admitted[name] = true
    end
  end
  return nil
end

--- Stores new members, from an index on, in the places where they belong: of those up to `stored` there may
--- be something left that was staged by somebody who gave up.
function nodes.create(partition, flow, first, values, stored, looked, now)
  local index = first
  for at = 1, #values, VALUES do
    if index < stored then
      nodes.remove(partition, flow, index)
    end
    local r = new(partition, flow, index, values, at, false, looked, now)
    r.looked = looked
    places.create(r, now)
    index = index + 1
  end
end

--- Stores new members, from an index on, where nobody finds them until the flow is sealed. Those that
--- have to do something then are noted. Answers how many there are.
function nodes.stage(partition, flow, first, values, now)
  local index, looked = first, {}
  for at = 1, #values, VALUES do
    nodes.remove(partition, flow, index)
    local r = new(partition, flow, index, values, at, true, looked, now)
    places.stage(r)
    if joins.of(r).total == 0 or r.f.du or r.f.dl then
      redis.call("RPUSH", keys.backlog(partition, "x", flow), number.text(index))
    end
    index = index + 1
  end
  return index - first
end

return nodes
