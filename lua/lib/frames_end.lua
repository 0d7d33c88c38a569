--- Why nothing more is written to a stream.
local flow = require("flow")
local record = require("record")

local frames_end = {}

--- The execution, as far as the end of its stream goes, or nil when nobody sees it.
function frames_end.seen(partition, id)
  local f = record.holder(partition, id)
  if not f or (f.dp and flow.hides({ partition = partition, f = f })) then
    return nil
  end
  return f
end

--- How the execution ended, or `superseded` for an attempt that is over, or nil while something may follow.
function frames_end.of(f, asked)
  local over = record.TERMINAL[f.st] and f.st or nil
  local latest = f.ai and tonumber(f.ai)
  if not asked or not latest then
    return over
  elseif asked < latest then
    return "superseded"
  elseif asked > latest or f.ao then
    return over
  end
  return over or "superseded"
end

return frames_end
