<?php
// A PIOPIY application for PHP's own server: a menu, and webhooks that count once. The audio stream is stream.php.
//
//   PORT=5000 php stream.php &
//   PORT=5000 php -S 127.0.0.1:5000 app.php

declare(strict_types=1);

$port = (int) (getenv('PORT') ?: 5000);
$path = parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH);

if (($_SERVER['REQUEST_METHOD'] ?? '') !== 'POST') {
    answer(404, 'nothing is here');
}
$text = file_get_contents('php://input', false, null, 0, 256 * 1024);
$body = json_decode($text === false ? '' : $text, true, 64);

match ($path) {
    // The caller hears a menu and presses a key.
    '/answer' => flow([
        [
            'action' => 'play_get_input',
            'file_name' => 'menu.wav',
            'max_digit' => 1,
            'max_retry' => 2,
            'timeout' => 5,
            'action_url' => "http://127.0.0.1:$port/digits",
        ],
        ['action' => 'speak', 'text' => 'Nothing was pressed. Goodbye.'],
        ['action' => 'hangup'],
    ]),
    '/digits' => flow(behind(is_array($body) ? (string) ($body['dtmf'] ?? '') : '', $port)),
    '/webhook/cdr' => webhook($body, $port),
    default => answer(404, 'nothing is here'),
};

/** What comes behind a key. */
function behind(string $digits, int $port): array
{
    return match ($digits) {
        '1' => [
            [
                'action' => 'stream',
                'ws_url' => 'ws://127.0.0.1:' . ($port + 1) . '/stream',
                'listen_mode' => 'caller',
                'voice_quality' => '8000',
            ],
            ['action' => 'hangup'],
        ],
        '2' => [
            ['action' => 'bridge', 'timeout' => 20, 'connect' => [['type' => 'pstn', 'number' => 442079460000]]],
            ['action' => 'hangup'],
        ],
        default => [['action' => 'speak', 'text' => 'Goodbye.'], ['action' => 'hangup']],
    };
}

/** Counts a webhook once. There is no event id: what makes two deliveries the same is in them. */
function webhook(mixed $body, int $port): never
{
    if (!is_array($body) || !is_string($body['cmiuuid'] ?? null)) {
        answer(400, 'this is no webhook');
    }
    $is_cdr = array_key_exists('duration', $body);
    $same = [$body['cmiuuid'], $body['leg'] ?? null, $is_cdr ? 'cdr' : 'event', $body['status'] ?? null];
    if (!$is_cdr) {
        $same[] = $body['time'] ?? null;
    }
    // A request has nothing of the one before it, so what was seen is in files; creating one is one step, so that of two
    // copies at the same moment one comes first.
    $folder = sys_get_temp_dir() . "/piopiy-example-$port";
    @mkdir($folder, 0700);
    $mark = @fopen($folder . '/' . hash('sha256', json_encode($same)), 'x');
    if ($mark !== false) {
        fclose($mark);
        forget($folder);
        $kind = $is_cdr ? 'cdr' : 'event';
        file_put_contents('php://stderr', "webhook $kind {$body['status']} {$body['leg']}\n");
    }
    answer(200, 'got it');
}

/** Removes what was seen a day ago: a CDR comes for the last time after half an hour. */
function forget(string $folder): void
{
    foreach (new FilesystemIterator($folder) as $mark) {
        if ($mark->getMTime() < time() - 86_400) {
            // A request beside this one may have removed it.
            @unlink($mark->getPathname());
        }
    }
}

function flow(array $actions): never
{
    header('Content-Type: application/json');
    answer(200, json_encode($actions));
}

function answer(int $status, string $text): never
{
    http_response_code($status);
    echo $text;
    exit;
}
