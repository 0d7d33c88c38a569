--- What becomes of an execution whose budgets have no room for it.
local number = require("number")
local reasons = require("reasons")
local record = require("record")
local run = require("run")

local breach = {}

--- Makes an execution wait for room in a budget: in line, or set aside in a generation of it.
function breach.block(r, id, aside)
  reasons.add(r, reasons.BUDGET)
  record.set(r, "bo", id)
  record.set(r, "ba", aside and number.text(aside) or nil)
  r.f.st = reasons.state(r)
end

--- Lets it fail because its budget is used up.
function breach.fail(r, why, now)
  run.record_failure(r, "permanent", why, nil, now)
  run.finish(r, "failed", now)
end

return breach
