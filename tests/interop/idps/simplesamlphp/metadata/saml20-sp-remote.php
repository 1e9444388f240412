<?php
$told = json_decode(file_get_contents(dirname(__DIR__) . '/told.json'), true);
foreach ($told['services'] as $service) {
    $metadata[$service['entity']] = [
        'AssertionConsumerService' => $service['acs'],
        'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
        'simplesaml.nameidattribute' => 'uid',
        'saml20.sign.response' => true,
        'saml20.sign.assertion' => true,
        'assertion.lifetime' => 300,
        'assertion.encryption' => $service['certificate'] !== null,
    ] + ($service['certificate'] === null ? [] : ['certificate' => $service['certificate']]);
}
