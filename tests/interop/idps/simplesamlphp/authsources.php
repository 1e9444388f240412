<?php
$told = json_decode(file_get_contents(__DIR__ . '/told.json'), true);
$config = ['people' => ['exampleauth:UserPass']];
foreach ($told['accounts'] as $login => $attributes) {
    $config['people']["$login:{$told['password']}"] = ['uid' => [$login]] + $attributes;
}
