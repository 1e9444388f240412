<?php
$told = json_decode(file_get_contents(dirname(__DIR__) . '/told.json'), true);
$metadata[$told['entity']] = [
    'host' => '__DEFAULT__',
    'privatekey' => 'idp.pem',
    'certificate' => 'idp.crt',
    'auth' => 'people',
    'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri',
];
