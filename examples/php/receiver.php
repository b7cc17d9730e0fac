<?php
// A receiver of PIOPIY webhooks that loses none and counts none twice, in plain PHP with PDO.
//
//   STORE=webhooks.sqlite php -S 127.0.0.1:5000 receiver.php
//
// PHP's own server is for trying it. In production nginx or Apache with PHP-FPM stands in front, which reads requests whole and
// within deadlines; with MySQL or PostgreSQL the statement is INSERT IGNORE or INSERT ... ON CONFLICT DO NOTHING.

declare(strict_types=1);

ini_set('display_errors', '0');
const LIMIT = 1 << 20;

$path = explode('?', $_SERVER['REQUEST_URI'] ?? '/', 2)[0];
try {
    match (true) {
        $path === '/__observe' => observe(),
        $path !== '/webhook/cdr' => answer(404, 'nothing is here'),
        $_SERVER['REQUEST_METHOD'] !== 'POST' => answer(405, 'POST webhooks here', ['Allow: POST']),
        default => webhook(),
    };
} catch (PDOException $error) {
    error_log($error->getMessage());
    answer(503, 'the store is away', ['Retry-After: 30']);
}

/** Durable before the answer: a unique column makes one of two copies, at whatever moment they come. */
function store(): PDO
{
    $store = new PDO('sqlite:' . (getenv('STORE') ?: 'webhooks.sqlite'), null, null, [PDO::ATTR_TIMEOUT => 10]);
    $store->exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    $store->exec('CREATE TABLE IF NOT EXISTS webhook (seq INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL UNIQUE, '
        . 'kind TEXT NOT NULL, cmiuuid TEXT NOT NULL, leg TEXT, status TEXT NOT NULL, body TEXT NOT NULL)');
    return $store;
}

function webhook(): never
{
    $type = strtolower(trim(explode(';', $_SERVER['CONTENT_TYPE'] ?? 'application/json', 2)[0]));
    if ($type !== 'application/json' && $type !== '') {
        answer(415, 'send application/json');
    }
    if (($_SERVER['HTTP_CONTENT_ENCODING'] ?? 'identity') !== 'identity') {
        answer(415, 'send it as it is, without Content-Encoding');
    }
    $text = file_get_contents('php://input', false, null, 0, LIMIT + 1);
    if ($text === false || strlen($text) > LIMIT) {
        answer(413, 'the body is too long');
    }
    $row = row(str_starts_with($text, "\u{FEFF}") ? substr($text, 3) : $text);
    $insert = 'INSERT INTO webhook (identity, kind, cmiuuid, leg, status, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING';
    store()->prepare($insert)->execute($row);
    answer(200, 'got it');
}

/** The row of a webhook. There is no event id: what makes two deliveries the same is in them. */
function row(string $text): array
{
    // As an object: an array could not tell {} from []. Large whole numbers stay texts.
    $webhook = json_decode($text, false, 512, JSON_BIGINT_AS_STRING);
    if (json_last_error() !== JSON_ERROR_NONE) {
        answer(400, 'the body is not JSON in UTF-8');
    }
    if (!$webhook instanceof stdClass) {
        answer(422, 'the body is no object');
    }
    foreach (['cmiuuid', 'status'] as $key) {
        if (!is_string($webhook->$key ?? null) || $webhook->$key === '') {
            answer(422, "$key is missing, or is no text");
        }
    }
    $kind = kind($webhook);
    $leg = $webhook->leg ?? null;
    $same = [$kind, $webhook->cmiuuid, $leg, $webhook->status, $kind === 'cdr' ? null : ($webhook->time ?? null)];
    // The body as it came: written anew, its numbers would have other digits. Outside of texts a line end is white space.
    $body = strtr($text, "\r\n", '  ');
    return [json_encode($same), $kind, $webhook->cmiuuid, is_string($leg) ? $leg : null, $webhook->status, $body];
}

/** `type` says it where there is one; the current pages have none, and only a CDR tells of a whole leg. */
function kind(stdClass $webhook): string
{
    if (property_exists($webhook, 'type')) {
        return in_array($webhook->type, ['cdr', 'event'], true) ? $webhook->type : 'unknown';
    }
    foreach (['duration', 'start_time', 'end_time'] as $key) {
        if (property_exists($webhook, $key)) {
            return 'cdr';
        }
    }
    return 'event';
}

/** For tests on this machine only: docs/observing.md. */
function observe(): never
{
    if (isset($_GET['capabilities'])) {
        answer(200, '{"observe": 1, "fields": true, "state": false, "quarantine": false}', ['Content-Type: application/json']);
    }
    $rows = store()->prepare('SELECT seq, kind, cmiuuid, leg, status, body FROM webhook WHERE seq > ? ORDER BY seq');
    $rows->execute([(int) ($_GET['since'] ?? 0)]);
    $lines = '';
    foreach ($rows->fetchAll(PDO::FETCH_ASSOC) as $row) {
        $body = array_pop($row);
        $lines .= substr(json_encode($row), 0, -1) . ',"fields":' . $body . "}\n";
    }
    answer(200, $lines, ['Content-Type: application/x-ndjson']);
}

function answer(int $status, string $text, array $headers = []): never
{
    http_response_code($status);
    header_remove('X-Powered-By');
    header('Content-Type: text/plain; charset=utf-8');
    foreach ($headers as $header) {
        header($header);
    }
    $text = rtrim($text, "\n") . ($text === '' ? '' : "\n");
    header('Content-Length: ' . strlen($text));
    echo $text;
    exit;
}
