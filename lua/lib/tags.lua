--- The tags of an execution: `<key> <value>` each, one a line in one field.
local tags = {}

--- Calls `visit` with every tag of a record.
function tags.each(r, visit)
  if r.f.tg then
    for tag in string.gmatch(r.f.tg, "[^\n]+") do
      visit(tag)
    end
  end
end

--- Whether a record has this tag; every record has the empty one.
function tags.has(r, wanted)
  return wanted == "" or (r.f.tg ~= nil and string.find("\n" .. r.f.tg .. "\n", "\n" .. wanted .. "\n", 1, true) ~= nil)
end

return tags
