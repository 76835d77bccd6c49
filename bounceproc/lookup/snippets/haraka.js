'use strict';
// Haraka: plugins/bounceproc.js, with a line `bounceproc` in config/plugins before the rcpt plugins that accept.
// Asks a running server (bounceproc serve) for each recipient, half a second at most.
const http = require('node:http');

const SERVER = process.env.BOUNCEPROC_URL || 'http://127.0.0.1:8025';
const FAIL_OPEN = true; // what holds when nobody answers: true sends, false defers
const TIMEOUT = 500; // milliseconds
const agent = new http.Agent({ keepAlive: true });

function ask(address, done) {
    let told = false;
    const tell = (error, answer) => {
        if (told) return;
        told = true;
        clearTimeout(timer);
        done(error, answer);
    };
    const request = http.get(`${SERVER}/v1/addresses/${encodeURIComponent(address)}`, { agent }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part) => { text += part; });
        response.on('end', () => {
            try {
                const answer = JSON.parse(text);
                if (response.statusCode !== 200 || typeof answer.suppressed !== 'boolean') throw new Error('no answer');
                tell(null, answer);
            } catch (error) {
                tell(error);
            }
        });
    });
    request.on('error', tell);
    const timer = setTimeout(() => {
        request.destroy();
        tell(new Error('no answer in time'));
    }, TIMEOUT);
}

exports.hook_rcpt = function (next, connection, params) {
    ask(params[0].address(), (error, answer) => {
        if (error) {
            if (FAIL_OPEN) return next();
            return next(DENYSOFT, '4.3.0 nobody knows whether this recipient is suppressed');
        }
        if (!answer.suppressed) return next();
        const since = typeof answer.since === 'string' ? ` since ${answer.since.slice(0, 10)}` : '';
        next(DENY, (answer.reason === 'bounce' ? '5.1.1 undeliverable' : '5.7.1 not to be mailed') + since);
    });
};
