{{%AUTOESCAPE context="HTML"}}
<!DOCTYPE html>
<html lang="{{LANG}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{{T_READY_SUBJECT}}</title>
</head>
<body style="margin:0;padding:0;background:#f3f4f6">
<div style="max-width:34em;margin:0 auto;padding:32px 16px;font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;font-size:16px;line-height:1.55;color:#1c2430">
<p style="margin:0 0 16px;font-weight:600">{{ORGANISATION}}</p>
<div style="background:#ffffff;border:1px solid #dfe3e8;border-radius:12px;padding:32px 28px">
<p style="margin:0 0 16px">{{#WITH_NAME}}{{T_MAIL_GREETING}}{{/WITH_NAME}}{{#WITHOUT_NAME}}{{T_MAIL_GREETING_PLAIN}}{{/WITHOUT_NAME}}</p>
<p style="margin:0 0 16px">{{T_READY_INTRO}}</p>
<p style="margin:0 0 24px">{{T_READY_PASSWORD}}</p>
{{#WITH_SIGN_IN}}
<p style="margin:0 0 24px"><a href="{{SIGN_IN_URL}}" style="display:inline-block;background:#1b5bb8;color:#ffffff;text-decoration:none;font-weight:600;padding:12px 22px;border-radius:8px">{{T_READY_BUTTON}}</a></p>
<p style="margin:0 0 4px;font-size:14px;color:#515c6b">{{T_MAIL_COPY_LINK}}</p>
<p style="margin:0;font-size:14px;word-break:break-all"><a href="{{SIGN_IN_URL}}" style="color:#1b5bb8">{{SIGN_IN_URL}}</a></p>
{{/WITH_SIGN_IN}}
{{#WITH_HELP}}
<p style="margin:24px 0 0">{{HELP}}</p>
{{/WITH_HELP}}
</div>
<p style="margin:20px 0 0;font-size:13px;color:#515c6b">{{T_READY_IGNORE}}</p>
<p style="margin:8px 0 0;font-size:13px;color:#515c6b">{{T_MAIL_AUTOMATIC}}</p>
</div>
</body>
</html>
