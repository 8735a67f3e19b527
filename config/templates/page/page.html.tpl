{{%AUTOESCAPE context="HTML"}}
<!DOCTYPE html>
<html lang="{{LANG}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<meta name="referrer" content="no-referrer">
<title>{{HEADING}}{{#WITH_ORGANISATION}} – {{ORGANISATION}}{{/WITH_ORGANISATION}}</title>
<link rel="stylesheet" href="{{STYLESHEET}}">
</head>
<body>
<div class="frame">
{{#WITH_ORGANISATION}}
<header>
<p class="organisation">{{ORGANISATION}}</p>
</header>
{{/WITH_ORGANISATION}}
<main class="card">
<svg class="sign" viewBox="0 0 48 48" width="48" height="48" aria-hidden="true">
<circle class="sign-ground" cx="24" cy="24" r="24"/>
{{#SIGN_MAIL}}
<path class="sign-line" d="M13 17h22v15H13zM13 17l11 9 11-9"/>
{{/SIGN_MAIL}}
{{#SIGN_DONE}}
<path class="sign-line" d="M15 25l6 6 12-13"/>
{{/SIGN_DONE}}
{{#SIGN_WAIT}}
<path class="sign-line" d="M24 14v10l6 5M12.5 24a11.5 11.5 0 1 0 23 0a11.5 11.5 0 1 0-23 0"/>
{{/SIGN_WAIT}}
{{#SIGN_NOTE}}
<path class="sign-line" d="M24 14v13M24 33v.5"/>
{{/SIGN_NOTE}}
</svg>
<h1>{{HEADING}}</h1>
{{#CONFIRM}}
{{#TRY_AGAIN}}
<p class="notice" role="alert">{{T_CONFIRM_TRY_AGAIN}}</p>
{{/TRY_AGAIN}}
<p>{{T_CONFIRM_TEXT}}</p>
<dl>
<div>
<dt>{{T_CONFIRM_ADDRESS}}</dt>
<dd>{{ADDRESS}}</dd>
</div>
<div>
<dt>{{T_CONFIRM_LAST_DAY}}</dt>
<dd>{{LAST_DAY}} <span class="zone">{{T_IN_PLACE}}</span></dd>
</div>
</dl>
<form method="post" action="{{FORM_ACTION}}">
<input type="hidden" name="do" value="confirm">
<input type="hidden" name="nonce" value="{{NONCE}}">
<input type="hidden" name="lang" value="{{LANG}}">
<button type="submit">{{T_CONFIRM_BUTTON}}</button>
</form>
<p class="quiet">{{T_CONFIRM_NOT_YOU}}</p>
{{/CONFIRM}}
{{#CONNECTED}}
<p>{{T_CONNECTED_TEXT}}</p>
<ol>
<li>{{T_CONNECTED_STEP_1}}</li>
<li>{{T_CONNECTED_STEP_2}}</li>
<li>{{T_CONNECTED_STEP_3}}</li>
</ol>
{{#WITH_SIGN_IN}}
<p class="act"><a class="button" href="{{SIGN_IN_URL}}" rel="noreferrer">{{T_CONNECTED_BUTTON}}</a></p>
{{/WITH_SIGN_IN}}
{{#WITH_HELP}}
<p class="help">{{HELP}}</p>
{{/WITH_HELP}}
{{/CONNECTED}}
{{#USED}}
<p>{{T_USED_TEXT}}</p>
{{#WITH_SIGN_IN}}
<p class="act"><a class="button" href="{{SIGN_IN_URL}}" rel="noreferrer">{{T_USED_BUTTON}}</a></p>
{{/WITH_SIGN_IN}}
<p class="quiet">{{T_USED_PASSWORD}}</p>
{{#WITH_HELP}}
<p class="help">{{HELP}}</p>
{{/WITH_HELP}}
{{/USED}}
{{#CONNECTING}}
<p>{{T_CONNECTING_TEXT}}</p>
<p>{{T_CONNECTING_LATER}}</p>
{{/CONNECTING}}
{{#EXPIRED}}
{{#WITH_LAST_DAY}}
<p>{{T_EXPIRED_LAST_DAY}}</p>
{{/WITH_LAST_DAY}}
{{#WITH_RESEND}}
<p>{{T_EXPIRED_RESEND}}</p>
<form method="post" action="{{FORM_ACTION}}">
<input type="hidden" name="do" value="resend">
<input type="hidden" name="nonce" value="{{NONCE}}">
<input type="hidden" name="lang" value="{{LANG}}">
<button type="submit">{{T_EXPIRED_BUTTON}}</button>
</form>
{{/WITH_RESEND}}
{{#WITHOUT_RESEND}}
<p>{{T_EXPIRED_ASK}}</p>
{{/WITHOUT_RESEND}}
{{/EXPIRED}}
{{#REQUESTED}}
<p>{{T_REQUESTED_TEXT}}</p>
<p class="quiet">{{T_REQUESTED_TIP}}</p>
{{/REQUESTED}}
{{#SUPERSEDED}}
{{#WITH_SENT}}
<p>{{T_SUPERSEDED_SENT}}</p>
{{/WITH_SENT}}
{{#WITHOUT_SENT}}
<p>{{T_SUPERSEDED_TEXT}}</p>
{{/WITHOUT_SENT}}
{{/SUPERSEDED}}
{{#REVOKED}}
<p>{{T_REVOKED_TEXT}}</p>
{{/REVOKED}}
{{#UNKNOWN}}
<p>{{T_UNKNOWN_TEXT}}</p>
<p>{{T_UNKNOWN_ASK}}</p>
{{/UNKNOWN}}
{{#ADDRESS_FORM}}
{{#TRY_AGAIN}}
<p class="notice" role="alert">{{T_CONFIRM_TRY_AGAIN}}</p>
{{/TRY_AGAIN}}
<p>{{T_ADDRESS_FORM_TEXT}}</p>
{{#WITH_SAVED}}
<p class="note">{{T_ADDRESS_FORM_SAVED}}</p>
{{/WITH_SAVED}}
{{#WITH_MAIL_OUT}}
<p class="note">{{T_ADDRESS_FORM_MAIL_OUT}}</p>
{{/WITH_MAIL_OUT}}
{{#WITH_MAIL_BACK}}
<p class="notice">{{T_ADDRESS_FORM_MAIL_BACK}}</p>
{{/WITH_MAIL_BACK}}
<form method="post" action="{{FORM_ACTION}}">
<input type="hidden" name="do" value="save">
<input type="hidden" name="nonce" value="{{NONCE}}">
<input type="hidden" name="lang" value="{{LANG}}">
<div class="field">
<label for="email">{{T_ADDRESS_FORM_EMAIL}}</label>
<input id="email" name="email" type="text" inputmode="email" autocomplete="email" autocapitalize="none" spellcheck="false" maxlength="320" value="{{TYPED}}" required{{#WITH_FAULT}} aria-invalid="true" aria-describedby="email-fault"{{/WITH_FAULT}}>
{{#WITH_FAULT}}
<p class="fault" id="email-fault" role="alert">{{#WITH_INVALID}}{{T_ADDRESS_FORM_INVALID}}{{/WITH_INVALID}}{{#WITH_UNUSABLE}}{{T_ADDRESS_FORM_UNUSABLE}}{{/WITH_UNUSABLE}}</p>
{{/WITH_FAULT}}
</div>
<div class="field">
<label for="confirm-email">{{T_ADDRESS_FORM_CONFIRM}}</label>
<input id="confirm-email" name="confirm_email" type="text" inputmode="email" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="320" value="{{TYPED_AGAIN}}" required{{#WITH_MISMATCH}} aria-invalid="true" aria-describedby="confirm-fault"{{/WITH_MISMATCH}}>
{{#WITH_MISMATCH}}
<p class="fault" id="confirm-fault" role="alert">{{T_ADDRESS_FORM_MISMATCH}}</p>
{{/WITH_MISMATCH}}
</div>
<button type="submit">{{T_ADDRESS_FORM_BUTTON}}</button>
</form>
<p class="quiet">{{T_ADDRESS_FORM_NEXT}}</p>
{{/ADDRESS_FORM}}
{{#ADDRESS_SENT}}
<p>{{T_ADDRESS_SENT_TEXT}}</p>
<p class="quiet">{{T_ADDRESS_SENT_TIP}}</p>
{{/ADDRESS_SENT}}
{{#ADDRESS_SAVED}}
<p>{{T_ADDRESS_SAVED_TEXT}}</p>
<p class="quiet">{{T_ADDRESS_SAVED_TIP}}</p>
{{/ADDRESS_SAVED}}
{{#PAGE_OVER}}
<p>{{T_PAGE_OVER_TEXT}}</p>
<p>{{T_PAGE_OVER_ASK}}</p>
{{/PAGE_OVER}}
{{#LIMITED}}
<p>{{T_LIMITED_TEXT}}</p>
{{/LIMITED}}
{{#UNAVAILABLE}}
<p>{{T_UNAVAILABLE_TEXT}}</p>
{{/UNAVAILABLE}}
{{#NOT_FOUND}}
<p>{{T_NOT_FOUND_TEXT}}</p>
{{/NOT_FOUND}}
{{#NOT_ALLOWED}}
<p>{{T_NOT_ALLOWED_TEXT}}</p>
{{/NOT_ALLOWED}}
</main>
<footer>
<nav aria-label="{{T_LANGUAGE_SWITCH}}">
<a href="?lang={{OTHER_LANG}}" lang="{{OTHER_LANG}}" hreflang="{{OTHER_LANG}}" rel="nofollow">{{OTHER_LANGUAGE}}</a>
</nav>
</footer>
</div>
</body>
</html>
