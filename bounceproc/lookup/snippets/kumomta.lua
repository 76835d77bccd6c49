-- KumoMTA: in init.lua, or in a file that it requires. Asks a running server (bounceproc serve) for each recipient.
local kumo = require 'kumo'

local SERVER = 'http://127.0.0.1:8025'
local FAIL_OPEN = true -- what holds when nobody answers: true sends, false defers

local function encoded(text)
  return (text:gsub('[^%w@%._~-]', function(c)
    return string.format('%%%02X', c:byte())
  end))
end

-- Without a timeout of its own a request may take a minute, and holds up the session for as long.
local ask = kumo.memoize(function(address)
  local client = kumo.http.build_client { timeout = '500ms' }
  local response = client:get(SERVER .. '/v1/addresses/' .. encoded(address)):send()
  if response:status_code() ~= 200 then
    error('bounceproc answers with ' .. response:status_code())
  end
  local answer = kumo.serde.json_parse(response:text())
  if not answer.suppressed then
    return ''
  end
  local since = type(answer.since) == 'string' and ' since ' .. string.sub(answer.since, 1, 10) or ''
  if answer.reason == 'bounce' then
    return '5.1.1 undeliverable' .. since
  end
  return '5.7.1 not to be mailed' .. since
end, { name = 'bounceproc', ttl = '10 seconds', capacity = 10000 })

local function refuse_suppressed(address)
  local answered, why = pcall(ask, address)
  if answered and why ~= '' then
    kumo.reject(550, why)
  end
  if not answered and not FAIL_OPEN then
    kumo.reject(451, '4.3.0 nobody knows whether this recipient is suppressed')
  end
end

kumo.on('smtp_server_rcpt_to', function(recipient)
  refuse_suppressed(tostring(recipient))
end)

-- Messages that come in by HTTP have no RCPT.
kumo.on('http_message_generated', function(message)
  refuse_suppressed(tostring(message:recipient()))
end)
