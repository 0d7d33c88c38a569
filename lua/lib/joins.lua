--- When a node runs: a count of its edges, and a decision that is made once. The field `dp` has the
--- decision (`o` open, `f` fired, `s` skipped, `c` closed by another end, `z` open and staged), how many
--- edges there are, are satisfied, are impossible, brought a failure that the node may take, and whether
--- the node's own failure is left to itself.
local member = require("member")
local memo = require("memo")
local number = require("number")
local record = require("record")

local joins = {}

local COUNTS = "^(%l) (%d+) (%d+) (%d+) (%d+) (%d)$"
local read = memo.of(function(text)
  local decision, total, satisfied, impossible, failed, unhandled = string.match(text, COUNTS)
  local staged = decision == "z"
  return {
    decision = staged and "o" or decision, staged = staged or nil,
    total = tonumber(total), satisfied = tonumber(satisfied), impossible = tonumber(impossible),
    failed = tonumber(failed), unhandled = unhandled == "1",
  }
end)
local FAILURES = { failed = true, cancelled = true, expired = true }

--- Whether an execution that was to run ended without a result.
function joins.is_failure(state)
  return FAILURES[state] == true
end

--- The counters of a record, in hand: `decision`, `total`, `satisfied`, `impossible`, `failed` and
--- `unhandled`.
function joins.of(r)
  if not r.deps then
    local its = read(r.f.dp)
    r.deps = {
      decision = its.decision, staged = its.staged, total = its.total, satisfied = its.satisfied,
      impossible = its.impossible, failed = its.failed, unhandled = its.unhandled,
    }
  end
  return r.deps
end

--- Puts the counters back into the record.
function joins.keep(r)
  local d = r.deps
  record.set(r, "dp", d.decision .. " " .. number.text(d.total) .. " " .. number.text(d.satisfied) .. " "
    .. number.text(d.impossible) .. " " .. number.text(d.failed) .. (d.unhandled and " 1" or " 0"))
end

--- Whether a failure that comes over such an edge may be taken: by a node that runs because of
--- failures, or by a join that does not need every parent.
function joins.takes(r, condition)
  return condition == "f" or (condition == "s" and member.node(r).join ~= "a")
end

local function is_met(condition, state)
  if condition == "s" then
    return state == "completed"
  end
  return condition == "a" or joins.is_failure(state)
end

--- Counts the end of a parent, or with a `by` of -1 takes it back.
function joins.count(r, condition, state, by)
  local d = joins.of(r)
  if is_met(condition, state) then
    d.satisfied = d.satisfied + by
  else
    d.impossible = d.impossible + by
  end
  if joins.is_failure(state) and joins.takes(r, condition) then
    d.failed = d.failed + by
  end
end

--- What the counters say, whatever was decided.
function joins.decided(r)
  local d, node = joins.of(r), member.node(r)
  local needed = node.join == "a" and d.total or node.join == "y" and 1 or node.quorum
  if d.total == 0 or d.satisfied >= needed then
    return "f"
  elseif d.total - d.impossible < needed then
    return "s"
  end
  return "o"
end

--- The node has ended: what is not decided will not be.
function joins.close(r)
  if r.f.dp then
    local d = joins.of(r)
    if d.decision == "o" then
      d.decision = "c"
      joins.keep(r)
    end
  end
end

return joins
